import gzip
import os

import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.data.checks.volume_file import check_volume_file
from monai_advdefense.errors import InputError


def _changed(array, value, index=(3, 2, 1)):
    changed = array.astype(np.float32)
    changed[index] = value
    return changed


def _flip_bit(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


# Name of the file, its bytes from a volume and the fixture that makes NIfTI files, and the rule that it breaks.
HOSTILE = {
    "empty": ("a.nii", lambda b, make: b"", "empty"),
    "empty gz": ("a.nii.gz", lambda b, make: b"", "empty"),
    "gz of nothing": ("a.nii.gz", lambda b, make: gzip.compress(b""), "header"),
    "text": ("a.nii", lambda b, make: b"no volume\n" * 100, "header"),
    "text as gz": ("a.nii.gz", lambda b, make: b"no volume\n" * 100, "gzip data"),
    "gzipped text": ("a.nii.gz", lambda b, make: gzip.compress(b"no volume\n" * 100), "header"),
    "gz called nii": ("a.nii", lambda b, make: gzip.compress(make(b)), "as the name says"),
    "nii called gz": ("a.nii.gz", lambda b, make: make(b), "as the name says"),
    "another ending": ("a.mgz", lambda b, make: make(b), "ending"),
    "no ending": ("nii", lambda b, make: make(b), "ending"),
    "header alone": ("a.nii", lambda b, make: make(b)[:348], "bytes"),
    "cut": ("a.nii", lambda b, make: make(b)[:-1], "bytes"),
    "too long": ("a.nii", lambda b, make: make(b) + b"x", "bytes"),
    "gz of a cut file": ("a.nii.gz", lambda b, make: gzip.compress(make(b)[:-1]), "as the header says, found 335"),
    "gz of a longer file": ("a.nii.gz", lambda b, make: gzip.compress(make(b) + b"x"), "found more"),
    "cut gz": ("a.nii.gz", lambda b, make: gzip.compress(make(b))[:-20], "read to its end"),
    "cut gz checksum": ("a.nii.gz", lambda b, make: gzip.compress(make(b))[:-3], "read to its end"),
    "wrong gz checksum": ("a.nii.gz", lambda b, make: _flip_bit(gzip.compress(make(b)), -8), "CRC"),
    "damaged gz": ("a.nii.gz", lambda b, make: _flip_bit(gzip.compress(make(b)), 60), "read to its end"),
    "bytes after gz": ("a.nii.gz", lambda b, make: gzip.compress(make(b)) + b"xyz", "read to its end"),
    "huge header": ("a.nii", lambda b, make: make(b, shape=(800, 800, 800)), "1024000352 bytes"),
    "huge header gz": ("a.nii.gz", lambda b, make: gzip.compress(make(b, shape=(800, 800, 800))), "512000000 voxels"),
    "4-D": ("a.nii", lambda b, make: make(np.stack([b, b], -1)), "3-D"),
    "2-D": ("a.nii", lambda b, make: make(b[2]), "3-D"),
    "complex": ("a.nii", lambda b, make: make(b.astype(np.complex64)), "real voxels"),
    "RGB": ("a.nii", lambda b, make: make(b.astype(np.uint8), datatype=128), "real voxels"),
    "one NaN": (
        "a.nii",
        lambda b, make: make(_changed(b, np.nan)),
        r"1 that are NaN or infinite, first at \(3, 2, 1\)",
    ),
    "infinite": ("a.nii", lambda b, make: make(_changed(b, -np.inf)), r"first at \(3, 2, 1\)"),
    "all NaN": ("a.nii", lambda b, make: make(np.full(b.shape, np.nan)), r"336 that are .* first at \(0, 0, 0\)"),
    "too large for float32": ("a.nii", lambda b, make: make(_changed(b, 1).astype(float) * 1e300), "up to 1e"),
    "zeros": ("a.nii", lambda b, make: make(0 * b), "the value 0 in every voxel"),
    "constant": ("a.nii", lambda b, make: make(0 * b + 7), "the value 7 in every voxel"),
    "constant as float32": ("a.nii", lambda b, make: make(b.astype(float) * 1e-9 + 7), "the value 7 in every voxel"),
    "nothing above 0": ("a.nii", lambda b, make: make(-b), "above 0"),
    "nothing above 0 when scaled": ("a.nii", lambda b, make: make(b, scl_slope=1, scl_inter=-900), "above 0"),
    "nothing above 0 when turned round": ("a.nii", lambda b, make: make(b, scl_slope=-1, scl_inter=0), "above 0"),
    "meters": ("a.nii", lambda b, make: make(b, np.diag([1e-3, 1e-3, 1e-3, 1])), "voxel sizes"),
    "singular affine": ("a.nii", lambda b, make: make(b, srow_x=[0, 1, 0, 0]), "singular"),
    "no orientation": ("a.nii", lambda b, make: make(b, sform_code=0, qform_code=0), "orientation"),
    "broken extension": ("a.nii", lambda b, make: _with_extension(make(b, vox_offset=384)), "nibabel can read"),
}


def _with_extension(data):
    """An extension of 7 bytes, where the standard wants a multiple of 16."""
    return data[:348] + b"\1\0\0\0" + (7).to_bytes(4, "little") + bytes(28) + data[352:]


@pytest.mark.filterwarnings("ignore:Extension size")
@pytest.mark.parametrize(("name", "content", "rule"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_in_one_line_that_names_it(name, content, rule, tmp_path, brain, make_nifti):
    path = tmp_path / name
    path.write_bytes(content(brain, make_nifti))
    with pytest.raises(InputError, match=rule) as error:
        check_volume_file(path)
    message = str(error.value)
    assert message.startswith(f"{path}: expected ")
    assert message.isprintable()


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "folder.nii").mkdir()
    (tmp_path / "link.nii").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.nii")
    for name, found in {
        "missing": "no such",
        "folder": "a folder",
        "link": "a broken link",
        "pipe": "no regular",
    }.items():
        with pytest.raises(InputError, match=f"{name}.nii: expected a volume, found {found}") as error:
            check_volume_file(tmp_path / f"{name}.nii")
        assert (str(tmp_path / "nowhere") in str(error.value)) == (name == "link")


LEGAL = {
    "uint8": lambda b, make: make(b.astype(np.uint8)),
    "int16": lambda b, make: make(b),
    "uint16": lambda b, make: make(b.astype(np.uint16)),
    "int64": lambda b, make: make(b.astype(np.int64)),
    "float32": lambda b, make: make(b.astype(np.float32)),
    "float64": lambda b, make: make(b.astype(np.float64)),
    "big endian": lambda b, make: make(b, order=">"),
    "big endian float": lambda b, make: make(b.astype(np.float32), order=">"),
    "NIfTI-2": lambda b, make: make(b, version=2),
    "scaled": lambda b, make: make(b, scl_slope=0.5, scl_inter=-3),
    "negative slope": lambda b, make: make(b, scl_slope=-1, scl_inter=200),
    "slope 0": lambda b, make: make(b, scl_slope=0, scl_inter=0),
    "negative values": lambda b, make: make(b - np.int16(20)),
    "one volume in four dimensions": lambda b, make: make(b[..., None]),
    "one volume in six dimensions": lambda b, make: make(b[..., None, None, None]),
    "flipped": lambda b, make: make(b, np.diag([-1.0, 1, -1, 1])),
    "permuted and oblique": lambda b, make: make(
        b, np.array([[0, 0.6, 0.8, 9], [0, 0.8, -0.6, 9], [2, 0, 0, 9], [0, 0, 0, 1]])
    ),
    "thin slab": lambda b, make: make(b[:, 3:4]),
}


@pytest.mark.parametrize("content", LEGAL.values(), ids=LEGAL)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
def test_a_legal_oddity_is_accepted(name, content, tmp_path, brain, make_nifti):
    data = content(brain, make_nifti)
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.lower().endswith("gz") else data)
    voxels = np.asanyarray(nib.load(path).dataobj)
    assert check_volume_file(path) == pytest.approx((voxels.min(), voxels.max()))
