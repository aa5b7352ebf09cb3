from __future__ import annotations

import torch

from monai_advdefense.guard.scores.linear_discriminant import LinearDiscriminant


def test_log_odds_of_normal_kinds_with_one_covariance():
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(20000, 2, generator=generator)
    shifts = torch.tensor([[2.0, 0.0], [0.0, -1.0]])
    discriminant = LinearDiscriminant(2, 2)
    discriminant.fit(clean, [torch.randn(20000, 2, generator=generator) + shift for shift in shifts])
    z = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, -3.0]])
    # Of normal densities with unit covariance: z times the shift less half of its square.
    expected = z @ shifts.T - 0.5 * shifts.square().sum(dim=1)
    torch.testing.assert_close(discriminant(z), expected, atol=0.1, rtol=0.05)
