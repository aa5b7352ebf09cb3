from __future__ import annotations

import math

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Spacing

from monai_advdefense.guard.blank import is_blank

FILLED, BLANK, DARK = torch.tensor([[0.0, 1e-3]]), torch.zeros(1, 2), torch.tensor([[-1.0, 0.0]])


def test_blank_is_what_has_no_voxel_above_the_rounding_of_resampling():
    image = torch.stack([FILLED, BLANK, DARK, torch.tensor([[0.0, 1e-5]])])
    assert is_blank(image).tolist() == [False, True, True, True]


def test_what_is_not_a_number_is_never_blank():
    image = torch.stack([torch.full((1, 2), math.nan), torch.tensor([[0.0, math.nan]])])
    assert is_blank(image).tolist() == [False, False]


def test_no_sample_is_no_decision():
    assert is_blank(torch.zeros(0, 1, 2)).shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("voxel", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.5, 2.0, 3.0])
def test_slices_that_resampling_gave_no_tissue_are_blank_whatever_the_voxel_size(voxel, dtype):
    image = torch.zeros(1, 5, 120, 6)
    image[:, 1:4, 31:88, 2:5] = torch.rand(1, 3, 57, 3, generator=torch.Generator().manual_seed(0)) + 0.2
    volume = MetaTensor(image, affine=torch.diag(torch.tensor([1.0, voxel, 1.0, 1.0])))
    resampled = Spacing(pixdim=(1.0, 1.0, 1.0), mode="bilinear", dtype=dtype)(volume).as_tensor()
    place = torch.arange(resampled.shape[2], dtype=torch.float64) / voxel
    # Linear interpolation reaches less than one voxel to both sides.
    reached = (place > 30 + 1e-3) & (place < 88 - 1e-3)
    assert is_blank(resampled.movedim(2, 0)).tolist() == (~reached).tolist()
