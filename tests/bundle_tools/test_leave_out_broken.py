import os

import nibabel as nib
import numpy as np
import pytest
from monai.data import CacheDataset, Dataset
from monai.transforms import Compose, EnsureChannelFirstd, Lambdad, LoadImaged

from monai_advdefense.bundle_tools import ScreenGuard
from monai_advdefense.bundle_tools.leave_out_broken import leave_out_broken
from monai_advdefense.runs.run_log import RunLog

GUARD = ScreenGuard(slice_size=(8, 8))


@pytest.fixture
def items(tmp_path):
    """A good volume, none, half a file, one that is NaN somewhere, and one whose brain is larger than the slices."""
    for name, side in (("good", 8), ("half", 8), ("nan", 8), ("large", 12)):
        values = np.random.default_rng(0).uniform(1, 2, (side, 6, side)).astype(np.float32)
        values[3, 3, 3] = np.nan if name == "nan" else 1
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / f"{name}.nii")
    half = tmp_path / "half.nii"
    half.write_bytes(half.read_bytes()[:900])
    return [{"image": str(tmp_path / f"{name}.nii")} for name in ("none", "good", "half", "nan", "large")]


def _transform(*further):
    return GUARD.preprocessing(Compose([LoadImaged("image"), EnsureChannelFirstd("image"), *further]))


def test_what_cannot_be_loaded_or_cut_is_left_out_and_told(items, capsys):
    log, dataset = RunLog(), Dataset(items, _transform(Lambdad("image", lambda _: pytest.fail("not needed"))))
    leave_out_broken(dataset, log)
    assert dataset.data == items[1:2]
    broken = [each["image"] for each in items if each is not items[1]]
    assert log.attempted == [path for path, _ in log.failures] == broken
    told = capsys.readouterr().err.splitlines()
    for line, path, word in zip(told, broken, ("no such file", "bytes", "NaN", "at least"), strict=True):
        assert line.startswith("failed: ")
        assert path in line
        assert word.lower() in line.lower()


def test_if_none_is_good_all_stay(items):
    log, dataset = RunLog(), Dataset(items[2:], _transform())
    leave_out_broken(dataset, log)
    assert dataset.data == items[2:]
    assert not log.attempted


def test_what_is_no_volume_is_told_by_its_file(items, tmp_path):
    nib.save(nib.Nifti1Image(np.ones((8, 6), np.float32), np.eye(4)), tmp_path / "flat.nii")
    log = RunLog()
    leave_out_broken(Dataset([items[1], {"image": str(tmp_path / "flat.nii")}], _transform()), log)
    (message,) = log.reasons(str(tmp_path / "flat.nii"))
    assert message.startswith(f"{tmp_path / 'flat.nii'}: axcodes: expected an image (C, X, Y, Z), found")


def test_an_image_of_several_files_is_named_by_the_first(items):
    log = RunLog()
    good, bad = items[1]["image"], items[2]["image"]
    together = [{"image": [good, good]}, {"image": [os.path.relpath(good), bad]}]
    dataset = Dataset(together, _transform())
    leave_out_broken(dataset, log)
    assert dataset.data == together[:1]
    assert [path for path, _ in log.failures] == [good]


@pytest.mark.parametrize("make", [lambda data: CacheDataset(data, lambda item: item, progress=False), iter])
def test_datasets_without_a_list_of_what_is_to_be_loaded_are_left_as_they_are(make, items):
    log = RunLog()
    leave_out_broken(make(items), log)
    assert not log.attempted
