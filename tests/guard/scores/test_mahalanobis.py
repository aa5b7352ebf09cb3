from __future__ import annotations

import numpy as np
import torch
from sklearn.covariance import LedoitWolf

from monai_advdefense.guard.scores.mahalanobis import Mahalanobis, compressed


def test_distance_is_that_of_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(500, 6, generator=generator) @ torch.randn(6, 6, generator=generator) + 1
    distance = Mahalanobis(6)
    assert distance(z).isnan().all()
    distance.fit(z)
    expected = LedoitWolf().fit(z.numpy()).mahalanobis(z.numpy()) / 6
    np.testing.assert_allclose(distance(z).exp().numpy(), expected, rtol=0.05)


def test_a_number_that_never_changed_divides_by_nothing():
    distance = Mahalanobis(2)
    distance.fit(torch.stack([torch.randn(50), torch.zeros(50)], dim=1))
    assert distance(torch.zeros(1, 2)).isfinite().all()


def test_compression_keeps_order_and_small_values():
    z = torch.tensor([-1e6, -1.0, 0.0, 1.0, 1e6])
    assert (compressed(z).diff() > 0).all()
    torch.testing.assert_close(compressed(z)[1:4], z[1:4], atol=0.01, rtol=0)
    assert compressed(z)[-1] < 100
