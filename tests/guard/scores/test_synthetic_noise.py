from __future__ import annotations

import torch

from monai_advdefense.guard.scores.synthetic_noise import LARGEST, SMALLEST, band_limited_noise


def test_noise_lies_inside_and_is_as_strong_as_said():
    image = torch.full((20, 1, 64, 64), 0.5)
    mask = torch.zeros(20, 1, 64, 64, dtype=torch.bool)
    mask[..., 10:50, 20:60] = True
    noisy = band_limited_noise(image, mask, generator=torch.Generator().manual_seed(0))
    change = (noisy - image).masked_select(mask).view(20, -1)
    assert torch.equal(noisy[~mask], image[~mask])
    size = change.square().mean(dim=1).sqrt()
    assert size.min() > 0.99 * SMALLEST
    assert size.max() < 1.01 * LARGEST
    assert size.std() > 0.1 * LARGEST
    again = band_limited_noise(image, mask, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again, noisy)
