from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.data.checks.nifti_header import check_header, read_header
from monai_advdefense.errors import InputError

PATH = Path("folder/scan.nii")
SHEARED = np.array([[1, 0.3, 0, 5], [0, 1, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]], float)


def _rotation(angle):
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return affine


HOSTILE = {
    "no dimensions": ({"dim": [0, 1, 1, 1, 1, 1, 1, 1]}, "dimensions"),
    "eight dimensions": ({"dim": [8, 6, 7, 8, 1, 1, 1, 1]}, "dimensions"),
    "negative dimension": ({"dim": [3, 6, -7, 8, 1, 1, 1, 1]}, "dimensions"),
    "2-D": ({"dim": [2, 6, 7, 1, 1, 1, 1, 1]}, "3-D"),
    "time series": ({"dim": [4, 6, 7, 8, 2, 1, 1, 1]}, "3-D"),
    "vectors": ({"dim": [5, 6, 7, 8, 1, 3, 1, 1]}, "3-D"),
    "huge": ({"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, "at most"),
    "huge at 1 mm": ({"pixdim": [1, 50, 50, 50, 1, 1, 1, 1], "dim": [3, 64, 64, 64, 1, 1, 1, 1]}, "voxel size"),
    "complex": ({"datatype": 32}, "real voxels"),
    "RGB": ({"datatype": 128}, "real voxels"),
    "long double": ({"datatype": 1536}, "real voxels"),
    "bits": ({"datatype": 1}, "real voxels"),
    "unknown type": ({"datatype": 77}, "real voxels"),
    "meters as unit": ({"xyzt_units": 1}, "millimeters"),
    "micrometers as unit": ({"xyzt_units": 3}, "millimeters"),
    "no such unit": ({"xyzt_units": 7}, "millimeters"),
    "voxel size 0": ({"pixdim": [1, 0, 1, 1, 1, 1, 1, 1]}, "voxel sizes"),
    "voxel size negative": ({"pixdim": [1, -1, 1, 1, 1, 1, 1, 1]}, "voxel sizes"),
    "voxel size NaN": ({"pixdim": [1, np.nan, 1, 1, 1, 1, 1, 1]}, "voxel sizes"),
    "voxel size against affine": ({"pixdim": [1, 1, 2, 1, 1, 1, 1, 1], "qform_code": 0}, "voxel size"),
    "no orientation": ({"qform_code": 0, "sform_code": 0}, "orientation"),
    "no such code": ({"sform_code": 9}, "codes"),
    "negative code": ({"qform_code": -1}, "codes"),
    "handedness": ({"pixdim": [3, 1, 1, 1, 1, 1, 1, 1]}, "handedness"),
    "impossible rotation": ({"quatern_b": 2.0}, "qform"),
    "quaternion clearly too long": ({"quatern_b": 1.001}, "qform"),
    "NaN in sform": ({"srow_y": [np.nan, 1, 0, 0]}, "finite affine"),
    "infinite origin": ({"srow_x": [1, 0, 0, np.inf]}, "finite affine"),
    "NaN in qform": ({"qoffset_x": np.nan}, "finite affine"),
    "zero sform": ({"srow_x": [0] * 4, "srow_y": [0] * 4, "srow_z": [0] * 4}, "singular"),
    "parallel axes": ({"srow_x": [1, 1, 0, 0], "srow_y": [0, 0.01, 0, 0]}, "singular"),
    "left and right swapped": ({"srow_x": [-1, 0, 0, 0]}, "same axes"),
    "voxels within the header": ({"vox_offset": 100}, "byte"),
    "voxels before the header": ({"vox_offset": -352}, "byte"),
    "endless header": ({"vox_offset": 1e12}, "byte"),
    "fractional offset": ({"vox_offset": 352.5}, "byte"),
    "infinite slope": ({"scl_slope": np.inf, "scl_inter": 0}, "slope"),
    "tiny slope": ({"scl_slope": 1e-30, "scl_inter": 0}, "slope"),
    "tiny negative slope": ({"scl_slope": -1e-30, "scl_inter": 0}, "slope"),
    "NaN intercept": ({"scl_slope": 1, "scl_inter": np.nan}, "slope"),
}


@pytest.mark.parametrize(("fields", "rule"), HOSTILE.values(), ids=HOSTILE)
def test_a_broken_header_is_refused_in_one_line(fields, rule, make_header):
    with pytest.raises(InputError, match=rule) as error:
        check_header(PATH, make_header(**fields))
    assert str(error.value).startswith(f"{PATH}: expected ")
    assert str(error.value).isprintable()


def test_the_memory_after_resampling_is_bounded(make_header):
    header = make_header((60, 60, 60), affine=np.diag([50.0, 50.0, 50.0, 1]))
    with pytest.raises(InputError, match="resampled to 1 mm"):
        check_header(PATH, header)


LEGAL = {
    "oblique": {"affine": _rotation(0.5)},
    "flipped": {"affine": np.diag([-1.0, -1.0, 1.0, 1.0])},
    "permuted": {"affine": np.eye(4)[[2, 0, 1, 3]]},
    "anisotropic": {"affine": np.diag([0.3, 0.3, 30.0, 1.0])},
    "far away": {"affine": np.array([[1, 0, 0, -1e3], [0, 1, 0, 1e3], [0, 0, 1, 1e3], [0, 0, 0, 1.0]])},
    "qform alone": {"sform_code": 0, "srow_x": [np.nan] * 4},
    "sform alone": {"qform_code": 0, "quatern_b": 2.0},
    "handedness 0 means 1": {"pixdim": [0, 1, 1, 1, 0, 0, 0, 0]},
    "unknown unit": {"xyzt_units": 0},
    "one volume in four dimensions": {"dim": [4, 6, 7, 8, 1, 1, 1, 1]},
    "one volume in seven dimensions": {"dim": [7, 6, 7, 8, 1, 1, 1, 1]},
    "extension": {"vox_offset": 1024},
}


@pytest.mark.parametrize("fields", LEGAL.values(), ids=LEGAL)
def test_a_legal_oddity_is_accepted(fields, make_header):
    assert check_header(PATH, make_header(**fields)).shape == (6, 7, 8)


def test_registered_sform_may_differ_from_scanner_qform(make_header):
    header = make_header()
    header.set_sform(_rotation(0.2), "mni")
    assert check_header(PATH, header).shape == (6, 7, 8)


def test_moderate_shear_is_accepted(make_header):
    header = make_header()
    header.set_qform(np.eye(4), 0)
    header.set_sform(SHEARED, "aligned")
    header["pixdim"][1:4] = np.linalg.norm(SHEARED[:3, :3], axis=0)
    assert check_header(PATH, header).shape == (6, 7, 8)


@pytest.mark.parametrize(
    ("slope", "inter", "expected"),
    [(2, -3, (2, -3)), (-2, 9, (-2, 9)), (0, 5, (1, 0)), (np.nan, np.nan, (1, 0))],
    ids=["scaled", "negative slope", "slope 0", "slope NaN"],
)
def test_scaling_follows_the_standard(slope, inter, expected, make_header):
    layout = check_header(PATH, make_header(scl_slope=slope, scl_inter=inter))
    assert (layout.slope, layout.inter) == expected


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_versions_and_byte_orders_are_read_as_written(version, order, make_header):
    header = make_header((6, 7, 9), "float32", np.diag([2.0, 3, 4, 1]), version=version, order=order)
    read, count = read_header(PATH, BytesIO(header.binaryblock + bytes(100)))
    assert count == {1: 348, 2: 540}[version]
    assert read.binaryblock == header.binaryblock
    layout = check_header(PATH, read)
    assert layout.shape == (6, 7, 9)
    assert layout.dtype == np.dtype("float32").newbyteorder(order)
    assert layout.offset == header.single_vox_offset


@pytest.mark.parametrize("size", [0, 3, 100, 347])
def test_a_cut_header_is_no_header(size, make_header):
    with pytest.raises(InputError, match="NIfTI-1 or NIfTI-2 header"):
        read_header(PATH, BytesIO(make_header().binaryblock[:size]))


def test_a_header_whose_voxels_lie_in_another_file_is_refused(make_header):
    with pytest.raises(InputError, match="in one file"):
        read_header(PATH, BytesIO(make_header(magic=b"ni1").binaryblock))


HALF_TURNS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.8, 0)]


@pytest.mark.parametrize("turn", HALF_TURNS)
@pytest.mark.parametrize("longer", [2e-7, 6e-7, 1e-6, 5e-6])
def test_a_quaternion_that_rounding_made_longer_than_1_means_a_half_turn(turn, longer, tmp_path):
    path = tmp_path / "brain.nii"
    expected = nib.quaternions.quat2mat([0, *turn])
    affine = np.eye(4)
    affine[:3, :3] = expected
    image = nib.Nifti1Image(np.zeros((6, 7, 8), np.int16), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, path)
    content = bytearray(path.read_bytes())
    content[256:268] = (np.array(turn, dtype="<f4") * np.float32(1 + longer)).tobytes()
    path.write_bytes(content)
    with path.open("rb") as stream:
        check_header(path, read_header(path, stream)[0])
    assert nib.aff2axcodes(nib.load(path).affine) == nib.aff2axcodes(affine)
