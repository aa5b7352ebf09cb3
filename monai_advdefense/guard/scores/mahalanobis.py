"""Mahalanobis: how far a slice's standardized numbers lie from those of clean slices."""

from __future__ import annotations

import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn

__all__ = ["Mahalanobis", "compressed"]

# Beyond this many standard deviations a number counts by its logarithm.
LIMIT = 5.0


class Mahalanobis(nn.Module):
    """Logarithm of the mean squared Mahalanobis distance, with a shrunk covariance.

    Mean ``(features,)`` and whitening matrix ``(features, features)`` are float32 buffers, NaN until :meth:`fit`.

    Args:
        features: numbers of a slice.

    Source:
        Ledoit, Wolf, "A well-conditioned estimator for large-dimensional covariance matrices" (2004).
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.full((features,), float("nan")))
        self.whitening = nn.Buffer(torch.full((features, features), float("nan")))

    def forward(self, z: Tensor) -> Tensor:
        """Return the scores ``(N,)`` of standardized numbers ``(N, features)``."""
        return ((z - self.mean) @ self.whitening).square().mean(dim=1).clamp_min(1e-12).log()

    @torch.jit.unused
    def fit(self, z: Tensor) -> None:
        """Fit on the numbers ``(N, features)`` of clean slices, best :func:`compressed`."""
        with torch.no_grad():
            z = z.double()
            covariance = torch.from_numpy(ledoit_wolf(z.cpu().numpy())[0])
            # A number that never changed has no variance: it must not divide by 0.
            covariance.diagonal().add_(1e-3)
            self.mean.copy_(z.mean(dim=0))
            self.whitening.copy_(torch.linalg.cholesky(torch.linalg.inv(covariance)))


def compressed(z: Tensor) -> Tensor:
    """Inverse hyperbolic sine of z values ``(N, features)``, almost the identity below :data:`LIMIT`.

    A single wild number then neither makes a covariance nor overflows, and has a gradient all the same.
    """
    return LIMIT * torch.asinh(z / LIMIT)
