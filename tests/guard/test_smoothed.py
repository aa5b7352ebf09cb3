from __future__ import annotations

import pytest
import torch
from scipy.ndimage import gaussian_filter

from monai_advdefense.errors import InputError
from monai_advdefense.guard.smoothed import smoothed


def test_slices_are_smoothed_as_scipy_does_it_and_not_mixed():
    volume = torch.rand(1, 2, 24, 5, 20, generator=torch.Generator().manual_seed(0))
    found = smoothed(volume, 0.75, slice_axis=1)
    expected = gaussian_filter(volume.double().numpy(), (0, 0, 0.75, 0, 0.75), mode="nearest")
    # MONAI integrates the Gaussian over each voxel, scipy takes its middle.
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), atol=0.05, rtol=0)
    torch.testing.assert_close(smoothed(volume[:, :, :, 2:3], 0.75, slice_axis=1)[0, :, :, 0], found[0, :, :, 2])


def test_values_keep_their_level_and_lose_their_detail():
    level = smoothed(torch.full((1, 1, 9, 9), 7.0), 2.0)
    torch.testing.assert_close(level, torch.full((1, 1, 9, 9), 7.0))
    noise = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    deviations = [float(smoothed(noise, sigma).std()) for sigma in (0.4, 0.75, 1.5)]
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[0] < float(noise.std())


def test_no_smoothing_is_refused():
    with pytest.raises(InputError, match="smoothing: expected a number of voxels above 0, found 0"):
        smoothed(torch.zeros(1, 1, 4, 4), 0)
