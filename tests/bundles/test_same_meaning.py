"""What means the same in the world gives the same slices, however it is stored."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose

from bundle_configs.preprocessing import volume_transforms
from monai_advdefense.data.checks import check_volume_file

AXES = [
    "".join(code[turn] for code, turn in zip(order, turns, strict=True))
    for order in itertools.permutations(("RL", "AP", "SI"))
    for turns in itertools.product((0, 1), repeat=3)
]


@pytest.fixture(scope="module")
def prepare():
    sizes = {"slice_size": [48, 48], "slice_dim": 1, "pixdim": [1.0] * 3}
    entries = ConfigParser({**volume_transforms(label=False), **sizes})
    return Compose([entries.get_parsed_content(name) for name in volume_transforms(label=False)])


@pytest.fixture(scope="module")
def volume():
    array = np.zeros((20, 24, 22), np.int16)
    array[3:-3, 4:-2, 2:-4] = np.random.default_rng(0).integers(1, 1000, (14, 18, 16))
    return nib.Nifti1Image(array, np.array([[1.0, 0, 0, -9], [0, 1, 0, -7], [0, 0, 1, 5], [0, 0, 0, 1]]))


def _slices(prepare, path):
    check_volume_file(path)
    return prepare({"image": str(path)})["image"].as_tensor()


@pytest.fixture(scope="module")
def expected(prepare, volume, tmp_path_factory):
    path = tmp_path_factory.mktemp("volume") / "a.nii"
    nib.save(volume, path)
    return _slices(prepare, path)


def _turned(volume, codes):
    turn = nib.orientations.ornt_transform(nib.io_orientation(volume.affine), nib.orientations.axcodes2ornt(codes))
    return volume.as_reoriented(turn)


@pytest.mark.parametrize("codes", AXES)
def test_every_orientation(codes, prepare, volume, expected, tmp_path):
    turned = _turned(volume, codes)
    assert "".join(nib.aff2axcodes(turned.affine)) == codes
    nib.save(turned, tmp_path / "a.nii.gz")
    assert torch.equal(_slices(prepare, tmp_path / "a.nii.gz"), expected)


def _with(volume, change, *, kind=nib.Nifti1Image, order="<", dtype=np.int16, axes=0):
    array = np.asarray(volume.dataobj).astype(dtype)
    made = kind(array.reshape(array.shape + (1,) * axes), volume.affine, kind.header_class(endianness=order))
    made.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    change(made)
    return made


FORMS = {
    "NIfTI-2": {"kind": nib.Nifti2Image},
    "big endian": {"order": ">"},
    "big endian NIfTI-2": {"kind": nib.Nifti2Image, "order": ">"},
    "uint16": {"dtype": np.uint16},
    "float64": {"dtype": np.float64},
    "one axis more": {"axes": 1},
    "three axes more": {"axes": 3},
    "qform alone": {"change": lambda v: (v.set_qform(v.affine, 1), v.set_sform(None, 0))},
    "sform alone": {"change": lambda v: (v.set_sform(v.affine, 4), v.set_qform(None, 0))},
    "other codes": {"change": lambda v: (v.set_sform(v.affine, 3), v.set_qform(v.affine, 5))},
    "millimetres": {"change": lambda v: v.header.set_xyzt_units("mm", "sec")},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form(form, prepare, volume, expected, tmp_path):
    made = _with(volume, form.get("change", lambda v: None), **{k: v for k, v in form.items() if k != "change"})
    nib.save(made, tmp_path / "a.nii")
    assert torch.equal(_slices(prepare, tmp_path / "a.nii"), expected)


@pytest.mark.parametrize(("slope", "inter"), [(2.0, 0.0), (0.5, 0.0), (-1.0, 0.0), (-0.5, 0.0)])
def test_every_slope(slope, inter, prepare, volume, expected, tmp_path):
    stored = (np.asarray(volume.dataobj) / slope).astype(np.float64)
    made = nib.Nifti1Image(
        stored.astype(np.int16) if (stored == stored.astype(np.int16)).all() else stored, volume.affine
    )
    nib.save(made, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[112:120] = np.array([slope, inter], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(content)
    torch.testing.assert_close(_slices(prepare, tmp_path / "a.nii"), expected)


def test_a_tensor_in_lps_space(prepare, volume, expected):
    turned = torch.from_numpy(np.asarray(volume.dataobj).astype(np.float32))[None]
    affine = torch.diag(torch.tensor([-1.0, -1, 1, 1], dtype=torch.float64)) @ torch.from_numpy(volume.affine)
    image = MetaTensor(turned, affine=affine, meta={"space": "LPS"})
    steps = Compose(list(prepare.transforms)[1:])
    assert torch.equal(steps({"image": image})["image"].as_tensor(), expected)


@pytest.mark.parametrize("name", ["a.img", "a.hdr"])
def test_a_pair_is_refused_with_the_way_out(name, volume, tmp_path):
    nib.save(nib.Nifti1Pair(np.asarray(volume.dataobj), volume.affine), tmp_path / "a.img")
    with pytest.raises(ValueError, match="found another file ending: convert it to NIfTI"):
        check_volume_file(tmp_path / name)


@pytest.mark.parametrize("thickness", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_thin_slab(thickness, axis, prepare, volume, expected, tmp_path):
    index = [slice(None)] * 3
    index[axis] = slice(10, 10 + thickness)
    slab = volume.slicer[tuple(index)]
    nib.save(slab, tmp_path / "a.nii")
    found = _slices(prepare, tmp_path / "a.nii")
    # Of the voxels above 0: a slab across the slices' axis has fewer of them, one along it narrower ones.
    # Scaling makes the lowest of them 0, of which there may be some.
    assert 0 <= int((np.asarray(slab.dataobj) > 0).sum()) - int((found > 0).sum()) <= 3
    assert found.shape[2] == (thickness if axis == 1 else expected.shape[2])


@pytest.mark.parametrize("size", [0.3, 0.7, 1.5, 3.0, 6.0])
def test_a_voxel_size(size, prepare, tmp_path):
    """A ball of 30 mm has about the same size whatever the voxels are."""
    side = int(40 / size)
    grid = np.stack(np.meshgrid(*[(np.arange(side) - (side - 1) / 2) * size] * 3, indexing="ij"))
    ball = (np.sqrt((grid**2).sum(0)) < 15) * 500.0
    nib.save(nib.Nifti1Image(ball.astype(np.int16), np.diag([size, size, size, 1.0])), tmp_path / "a.nii")
    found = _slices(prepare, tmp_path / "a.nii")
    assert float((found > 0.5).sum()) == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.35)
