from __future__ import annotations

import torch

from monai_advdefense.guard.scores.bias_field import bias_field


def test_the_slope_of_a_field_is_found():
    place = torch.linspace(-1, 1, 96)
    mask = (place[:, None] ** 2 + place[None] ** 2 < 0.9)[None, None]
    tissue = torch.where(torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(0)) > 0.02, 0.6, 0.5)
    spread = (place[None].expand(96, 96)[mask[0, 0]]).std()
    for slope in (0.05, -0.1):
        field = torch.exp(slope * place[None] / spread)
        change = (bias_field(tissue * field * mask, mask) - bias_field(tissue * mask, mask))[0]
        # Powers (rows, columns): (0, 0), (0, 1), ...; the slope along the columns shares its place with its cube.
        assert change[1] * slope > 0
        assert abs(float(change[1])) > 0.3 * abs(slope)
