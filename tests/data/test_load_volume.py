import os
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose, CropForegroundd, LoadImaged, SpatialPadd

from monai_advdefense.data.load_volume import load_volume, load_volumes
from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.errors import InputError
from monai_advdefense.transforms import MergeLabelsd

KEYS = ("image", "label")
SIZES = {"slice_size": (24, 24), "slice_dim": 1}
LABELS = [[0], [11, 12], [21, 22], [31, 32]]


@pytest.fixture
def case(tmp_path):
    folder = write_phantom_dataset(tmp_path / "data", 1, shape=(20, 18, 20))
    return {key: str(folder / f"{key}s" / "1000.nii.gz") for key in KEYS} | {"subject": "P0"}


@pytest.fixture
def transform():
    return Compose(
        [
            LoadImaged(KEYS, ensure_channel_first=True),
            CropForegroundd(KEYS, source_key="image", allow_smaller=True),
            SpatialPadd(KEYS, (24, -1, 24)),
            MergeLabelsd("label", LABELS),
        ]
    )


def _change(path, function):
    """Replace the voxels of a file."""
    volume = nib.load(path)
    nib.save(nib.Nifti1Image(function(np.asarray(volume.dataobj)), volume.affine), path)


def test_a_good_case_comes_out_as_the_transform_makes_it(case, transform):
    loaded, expected = load_volume(case, transform, **SIZES), transform(case)
    assert all(torch.equal(loaded[key], expected[key]) for key in KEYS)
    assert loaded["subject"] == "P0"
    assert [
        torch.equal(item["image"], expected["image"]) for item in load_volumes([case, case], transform, **SIZES)
    ] == [True] * 2


@pytest.mark.parametrize(
    ("lowest", "told"), [(0, ""), (-1e-7, ""), (-5, "found -5: ")], ids=["none", "rounding", "interpolation"]
)
def test_an_image_with_voxels_below_0_is_told_of(case, transform, capsys, lowest, told):
    _change(case["image"], lambda a: np.where(np.indices(a.shape).sum(0) == 0, lowest, a).astype(np.float32))
    load_volume(case, transform, **SIZES)
    printed = capsys.readouterr().err
    assert printed.count("\n") == bool(told)
    assert not told or printed.startswith(
        f"warning: {case['image']}: expected no voxels below 0, {told}the background "
    )


def test_a_label_map_with_voxels_below_0_is_not_told_of(case, capsys):
    _change(case["label"], lambda a: np.where(a == 0, -1, a).astype(np.int16))
    loading = Compose([LoadImaged(KEYS, ensure_channel_first=True), SpatialPadd(KEYS, (24, -1, 24))])
    load_volume(case, loading, **SIZES)
    assert capsys.readouterr().err == ""


def _cut_off(path):
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 2)


def _remove(path):
    shutil.move(path, path + ".away")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (_remove, "a volume, found no such file"),
        (_cut_off, "a file that can be read to its end"),
        (lambda path: _change(path, lambda a: np.where(a > 9, np.nan, a).astype(np.float32)), "finite voxels"),
        (lambda path: _change(path, lambda a: np.stack([a, a], -1)), "a 3-D volume"),
    ],
    ids=["missing", "cut off", "NaN", "4-D"],
)
def test_a_broken_file_is_named(case, transform, key, damage, expected):
    damage(case[key])
    with pytest.raises(InputError) as raised:
        load_volume(case, transform, **SIZES)
    assert str(raised.value).startswith(f"{case[key]}: expected {expected}")
    assert str(raised.value).isprintable()


def test_files_that_are_not_asked_for_are_not_checked(case, transform):
    _remove(case["label"])
    load = LoadImaged("image", ensure_channel_first=True)
    load_volume(case, load, keys=("image",), slice_size=(20, 20), slice_dim=1)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda path: _change(path, lambda a: a[1:]), r"shape \(19, 18, 20\) beside \(20, 18, 20\)"),
        (lambda path: nib.save(nib.Nifti1Image(np.asarray(nib.load(path).dataobj), np.eye(4)), path), "another affine"),
    ],
    ids=["shape", "affine"],
)
def test_a_label_map_on_another_grid_is_refused(case, transform, change, found):
    change(case["label"])
    with pytest.raises(InputError, match=f"{case['label']}: expected the voxel grid of {case['image']}, found {found}"):
        load_volume(case, transform, **SIZES)


def test_a_label_that_no_class_names_is_said_with_its_file(case, transform):
    _change(case["label"], lambda a: np.where(a == 21, 99, a).astype(np.int16))
    with pytest.raises(InputError, match=rf"^{case['label']}: expected source labels of the classes, found 99 in \d+ "):
        load_volume(case, transform, **SIZES)


def test_an_error_in_the_transform_names_the_file_and_the_first_cause(case):
    def transform(item):
        try:
            raise MemoryError("9 TiB")
        except MemoryError as error:
            raise RuntimeError("applying transform") from error

    with pytest.raises(InputError, match=f"{case['image']}: expected a volume that can be preprocessed, found MemoryE"):
        load_volume(case, transform, **SIZES)


@pytest.mark.parametrize(
    ("image", "expected"),
    [(torch.full((1, 4, 4, 4), torch.nan), "finite intensities"), (torch.ones(1, 9, 4, 8), "a brain")],
    ids=["NaN", "large"],
)
def test_a_result_that_the_networks_cannot_take_is_refused(case, image, expected):
    with pytest.raises(InputError, match=f"{case['image']}: expected {expected}"):
        load_volume(case, lambda item: {"image": image}, slice_size=(8, 8), slice_dim=1)


def test_the_first_of_several_that_cannot_be_used_ends_the_run(case, transform):
    with pytest.raises(InputError, match="^nowhere.nii: expected a volume, found no such file"):
        load_volumes([case, {"image": "nowhere.nii"}], transform, **SIZES)


def test_an_image_of_one_value_is_refused_and_a_label_map_is_not(case, transform):
    _change(case["label"], np.zeros_like)
    assert not load_volume(case, transform, **SIZES)["label"].any()
    _change(case["image"], np.zeros_like)
    with pytest.raises(InputError, match=f"{case['image']}: expected an image, found the value 0 in every voxel"):
        load_volume(case, transform, **SIZES)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_preprocessing_may_end_on_a_gpu(case, transform):
    found = load_volume(case, lambda item: {key: value.cuda() for key, value in transform(item).items()}, **SIZES)
    assert found["image"].is_cuda
