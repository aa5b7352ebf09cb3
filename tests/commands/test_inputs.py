from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.commands.inputs import dataset_entries


@pytest.fixture
def volumes(tmp_path):
    for name in ("x/a.nii.gz", "y/b.nii", "y/z/c.nii"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.float32), np.eye(4)), tmp_path / name)
    return tmp_path


def test_one_folder_is_left_to_the_bundle_to_list(volumes):
    assert dataset_entries(volumes / "x") == {"dataset_dir": str(volumes / "x")}
    assert dataset_entries([f"{volumes}/x/"]) == {"dataset_dir": f"{volumes}/x/"}


def test_several_inputs_are_listed(volumes):
    entries = dataset_entries([volumes / "y", volumes / "x" / "a.nii.gz"], exclude=volumes / "y" / "z")
    assert entries["dataset_dir"] == str(volumes)
    assert [case["image"] for case in entries["dataset#data"]] == [f"{volumes}/x/a.nii.gz", f"{volumes}/y/b.nii"]
