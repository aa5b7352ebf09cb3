from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, CropForegroundd, LoadImaged, Orientationd, Spacingd, SpatialPadd

from monai_advdefense.data.label_on_grid import label_on_grid
from monai_advdefense.errors import InputError

CLASSES = [[0], [1], [2]]


def _preprocessed(paths, keys, modes):
    transform = Compose(
        [
            LoadImaged(keys, ensure_channel_first=True),
            Orientationd(keys, axcodes="RAS", labels=None),
            Spacingd(keys, pixdim=(1.0, 1.0, 1.0), mode=modes),
            CropForegroundd(keys, source_key="image", allow_smaller=True),
            SpatialPadd(keys, spatial_size=(24, -1, 24)),
        ]
    )
    return transform({key: paths[key] for key in keys})


@pytest.fixture
def paths(tmp_path):
    """Image and label of one grid, in another orientation than that of the networks."""
    generator = np.random.default_rng(0)
    image, label = np.zeros((16, 14, 18)), np.zeros((16, 14, 18), np.int16)
    image[3:13, 2:12, 4:15] = generator.uniform(1, 2, (10, 10, 11))
    label[4:9, 4:9, 5:12] = generator.integers(0, 3, (5, 5, 7))
    affine = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt("PIR"), image.shape)
    for name, values in (("image", image.astype(np.float32)), ("label", label)):
        nib.save(nib.Nifti1Image(values, affine), tmp_path / f"{name}.nii.gz")
    return {name: tmp_path / f"{name}.nii.gz" for name in ("image", "label")}


def test_a_label_lies_where_the_preprocessing_of_image_and_label_puts_it(paths):
    both = _preprocessed(paths, ("image", "label"), ("bilinear", "nearest"))
    alone = _preprocessed(paths, ("image",), ("bilinear",))["image"]
    found = label_on_grid(paths["label"], alone, source_labels=CLASSES)
    assert found.dtype == torch.int64
    assert set(found.unique().tolist()) == {0, 1, 2}
    assert torch.equal(found, both["label"].as_tensor()[0].long())
    # The same image as ITK's readers may give it.
    alone.affine = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0])).to(alone.affine) @ alone.affine
    alone.meta["space"] = "LPS"
    assert torch.equal(label_on_grid(paths["label"], alone, source_labels=CLASSES), found)


def test_values_of_a_data_set_are_merged(paths):
    image = _preprocessed(paths, ("image",), ("bilinear",))["image"]
    found = label_on_grid(paths["label"], image, source_labels=[[0, 2], [1]])
    plain = label_on_grid(paths["label"], image, source_labels=CLASSES)
    assert torch.equal(found, (plain == 1).long())


def test_other_labels_and_other_grids_are_refused(paths, tmp_path):
    image = _preprocessed(paths, ("image",), ("bilinear",))["image"]
    with pytest.raises(InputError, match="label.nii.gz: expected source labels of the classes, found 2 in"):
        label_on_grid(paths["label"], image, source_labels=CLASSES[:2])
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "other.nii.gz")
    with pytest.raises(InputError, match="expected the voxel grid of .*image.nii.gz"):
        label_on_grid(tmp_path / "other.nii.gz", image, source_labels=CLASSES)
    assert isinstance(image, MetaTensor)
