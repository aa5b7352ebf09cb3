from __future__ import annotations

import numpy as np
import torch
from scipy.stats import kurtosis, skew

from monai_advdefense.guard.scores.histogram import BINS, QUANTILES, histogram


def test_numbers_are_those_of_the_gray_values_inside():
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) ** 2
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    mask[..., 8:60, 4:50] = True
    found = histogram(image, mask)[0].numpy()
    inside = image[..., ::2, ::2][mask[..., ::2, ::2]].numpy()
    np.testing.assert_allclose(found[:9], np.quantile(inside, QUANTILES), atol=0.01)
    expected = [inside.mean(), np.log(inside.std()), skew(inside), kurtosis(inside, fisher=False)]
    np.testing.assert_allclose(found[9:13], expected, rtol=1e-3, atol=1e-3)
    assert len(found) == 13 + BINS
    np.testing.assert_allclose((found[13:] ** 2 - 1e-4).sum(), 1, rtol=1e-4)


def test_a_gray_value_between_two_bins_counts_for_both():
    image = torch.full((1, 1, 8, 8), 2.25 / (BINS - 1))
    shares = histogram(image, torch.ones(1, 1, 8, 8, dtype=torch.bool))[0, 13:] ** 2 - 1e-4
    torch.testing.assert_close(shares[2:4], torch.tensor([0.75, 0.25]), rtol=1e-3, atol=1e-4)
