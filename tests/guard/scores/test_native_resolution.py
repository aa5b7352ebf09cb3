from __future__ import annotations

import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.guard.scores.native_resolution import as_from_spacing, resolution_covariates


def test_interpolation_there_and_back_keeps_shape_and_ramps_and_loses_detail():
    place = torch.arange(24.0)
    ramp = (place[:, None, None] + place[:, None] + 2 * place)[:, None]
    back = as_from_spacing(ramp, (1.5, 1.2, 0.8))
    assert back.shape == ramp.shape
    torch.testing.assert_close(back[3:-3, :, 3:-3, 3:-3], ramp[3:-3, :, 3:-3, 3:-3], rtol=0, atol=1e-3)
    noise = torch.randn(24, 2, 24, 24, generator=torch.Generator().manual_seed(0))
    assert as_from_spacing(noise, (2, 2, 2)).std() < 0.5 * noise.std()
    torch.testing.assert_close(as_from_spacing(noise, (1, 1, 1)), noise)


def test_covariates_are_logarithms_within_and_across_slices():
    assert resolution_covariates((1, 1, 1)).tolist() == [0, 0, 0]
    assert resolution_covariates((0.5, 0.5, 0.5)).tolist() == [-1, 0, 0]
    torch.testing.assert_close(resolution_covariates((3, 2**0.5, 2**0.5)), torch.tensor([0.5, 0.5, 1.0]))


def test_sizes_must_be_positive():
    with pytest.raises(InputError, match="three positive sizes"):
        as_from_spacing(torch.zeros(2, 1, 4, 4), (1, 0, 1))
