from __future__ import annotations

import torch
from scipy.fft import idctn

from monai_advdefense.attacks.balls.cosines import cosine_rows, from_cosines
from tests.attacks.balls.drawn import seeded


def test_sums_are_those_of_the_inverse_discrete_cosine_transform():
    weights = torch.randn(2, 1, 3, 4, generator=seeded(), dtype=torch.float64)
    padded = torch.zeros(2, 1, 8, 9, dtype=torch.float64)
    padded[..., :3, :4] = weights
    expected = idctn(padded.numpy(), type=2, norm="ortho", axes=(2, 3))
    torch.testing.assert_close(from_cosines(weights, (8, 9)), torch.from_numpy(expected))
    assert cosine_rows(2, 5, weights).dtype == torch.float64
