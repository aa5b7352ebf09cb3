from __future__ import annotations

import math

import torch

from monai_advdefense.guard.scores.local_texture import high_pass, local_texture

MASK = torch.ones(1, 1, 96, 96, dtype=torch.bool)


def _noise(size=0.05):
    return 0.5 + size * torch.randn(1, 1, 96, 96, generator=torch.Generator().manual_seed(0))


def test_filters_have_unit_gain_and_ignore_ramps():
    place = torch.arange(96.0)
    ramp = (place[:, None] + 2 * place[None])[None, None] / 300
    for filtered, flat in zip(high_pass(_noise()), high_pass(ramp), strict=True):
        assert abs(float(filtered.std()) / 0.05 - 1) < 0.05
        assert flat[..., 4:-4, 4:-4].abs().max() < 1e-4


def test_statistics_of_white_noise():
    statistics = local_texture(_noise(), MASK).view(9, 11)
    assert (statistics[:, 0] - 2 * math.log(0.05)).abs().max() < 0.1
    assert (statistics[:, 1].exp() - 1 - 3).abs().max() < 0.3  # kurtosis of a normal variable
    assert (statistics[:, 3] - math.sqrt(2 / math.pi)).abs().max() < 0.02
    # Second difference along the rows of white noise: correlation of neighbours -4/6, and none across.
    assert abs(float(statistics[0, 4]) + 4 / 6) < 0.05
    assert abs(float(statistics[0, 5])) < 0.05


def test_flat_blocks_show_noise_that_edges_drown():
    edges = (torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    edges[..., :48] = 0.5
    faint = 0.01 * torch.randn(1, 1, 96, 96, generator=torch.Generator().manual_seed(2))
    change = (local_texture(edges + faint, MASK) - local_texture(edges, MASK)).view(9, 11)
    assert change[:, 0].abs().max() < 0.1
    assert change[:, 6].min() > 2
