"""Hostile volumes are refused in one line that names the file; legal oddities are read as the standard says."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from monai.bundle import ConfigParser

from bundle_configs.preprocessing import volume_transforms
from monai_advdefense.commands.main import main
from monai_advdefense.data.checks import check_volume_file
from monai_advdefense.errors import InputError
from tests.data.checks import test_nifti_header as headers
from tests.data.checks import test_volume_file as files

# Where NIfTI-1 and NIfTI-2 keep what a reader needs, as format and offset.
FIELDS = {
    348: {"dim": ("8h", 40), "type": ("h", 70), "offset": ("f", 108), "scaling": ("2f", 112), "sform": ("12f", 280)},
    540: {"dim": ("8q", 16), "type": ("h", 12), "offset": ("q", 168), "scaling": ("2d", 176), "sform": ("12d", 400)},
}
TYPES = {2: "u1", 4: "i2", 16: "f4", 64: "f8", 512: "u2", 1024: "i8"}


def _by_the_standard(data):
    """Voxels and affine of a file, read without any library."""
    order = "<" if struct.unpack_from("<i", data)[0] in FIELDS else ">"
    places = FIELDS[struct.unpack_from(f"{order}i", data)[0]]
    found = {name: struct.unpack_from(order + form, data, place) for name, (form, place) in places.items()}
    shape, (slope, inter) = found["dim"][1:4], found["scaling"]
    voxels = np.frombuffer(data, order + TYPES[found["type"][0]], int(np.prod(shape)), int(found["offset"][0]))
    scaled = voxels if slope in (0, None) or slope != slope else voxels * slope + inter
    return scaled.reshape(shape, order="F"), np.vstack([np.reshape(found["sform"], (3, 4)), [0, 0, 0, 1]])


@pytest.fixture
def hostile(tmp_path, brain, make_nifti):
    """A folder of hostile files, each in a folder of its own."""
    made = [(name, content(brain, make_nifti)) for name, content, _ in files.HOSTILE.values()]
    made += [("a.nii", make_nifti(brain, **fields)) for fields, _ in headers.HOSTILE.values()]
    for number, (name, data) in enumerate(made):
        (tmp_path / f"{number:02d}").mkdir()
        (tmp_path / f"{number:02d}" / name).write_bytes(data)
    return sorted(tmp_path.glob("*/*"))


@pytest.mark.filterwarnings("ignore:Extension size")
def test_none_passes_and_none_ends_in_a_traceback(hostile, tmp_path, capsys, figure):
    for path in hostile:
        with pytest.raises(InputError) as error:
            check_volume_file(path)
        assert str(error.value).startswith(f"{path}: expected ")
        assert str(error.value).isprintable()
    assert main(["check", str(tmp_path)]) == 2
    printed = capsys.readouterr().out.splitlines()
    named = [path for path in hostile if path.name.lower().endswith((".nii", ".nii.gz"))]
    told = [line for path in named for line in printed if line.startswith(f"failed: {path}: expected ")]
    assert printed == [*told, f"0 of {len(named)} inputs can be used"]
    assert len(hostile) >= 60
    figure(f"{len(hostile)} of {len(hostile)} refused in one line, 0 tracebacks")


def test_legal_oddities_are_read_as_the_standard_says(tmp_path, brain, make_nifti, figure):
    load = ConfigParser(volume_transforms(label=False)).get_parsed_content("load_image")
    for name, content in files.LEGAL.items():
        for ending in (".nii", ".nii.gz"):
            path, data = tmp_path / f"a{ending}", content(brain, make_nifti)
            path.write_bytes(gzip.compress(data) if ending == ".nii.gz" else data)
            check_volume_file(path)
            image = load({"image": str(path)})["image"]
            voxels, affine = _by_the_standard(data)
            np.testing.assert_array_equal(image.numpy()[0], voxels.astype(np.float32), err_msg=name)
            np.testing.assert_allclose(image.affine.numpy(), affine, atol=1e-6, err_msg=name)
    assert len(files.LEGAL) >= 15
    figure(f"{len(files.LEGAL)} of {len(files.LEGAL)} legal oddities read as the standard says")
