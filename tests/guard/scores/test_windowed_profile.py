from __future__ import annotations

import torch

from monai_advdefense.guard.scores.windowed_profile import fine_structure, windowed_profile


def _disc():
    place = torch.linspace(-1, 1, 64)
    return (place[:, None] ** 2 + place[None] ** 2 < 0.8)[None, None]


def test_the_edge_of_the_object_is_no_fine_structure():
    mask = _disc()
    assert fine_structure(0.7 * mask.float(), mask).abs().max() < 1e-6


def test_faint_noise_is_seen_inside():
    mask = _disc()
    noise = 0.01 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    flat = 0.7 * mask.float()
    clean, noisy = (windowed_profile(image, mask) for image in (flat, flat + noise * mask))
    assert (noisy - clean)[0, 48:96].min() > 3
