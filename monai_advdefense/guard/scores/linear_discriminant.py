"""LinearDiscriminant: which of several kinds of slices one resembles, by a shrunk linear discriminant analysis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn

__all__ = ["LinearDiscriminant"]


class LinearDiscriminant(nn.Module):
    """Log odds of each kind of slice against clean ones, for equal priors and one shrunk covariance of all kinds.

    Args:
        features: numbers of a slice.
        kinds: number of kinds besides clean.
    """

    def __init__(self, features: int, kinds: int) -> None:
        super().__init__()
        self.weight = nn.Buffer(torch.full((features, kinds), float("nan")))
        self.offset = nn.Buffer(torch.full((kinds,), float("nan")))

    def forward(self, z: Tensor) -> Tensor:
        """Return the log odds ``(N, kinds)`` of standardized numbers ``(N, features)``."""
        return z @ self.weight + self.offset

    @torch.jit.unused
    def fit(self, clean: Tensor, others: Sequence[Tensor]) -> None:
        """Fit on the numbers of clean slices and of slices of each kind, all ``(N, features)``."""
        with torch.no_grad():
            groups = [group.double() for group in (clean, *others)]
            means = torch.stack([group.mean(dim=0) for group in groups])
            within = torch.cat([group - mean for group, mean in zip(groups, means, strict=True)])
            covariance = torch.from_numpy(ledoit_wolf(within.cpu().numpy(), assume_centered=True)[0])
            covariance.diagonal().add_(1e-3)
            weight = torch.linalg.solve(covariance, (means[1:] - means[0]).T)
            self.weight.copy_(weight)
            self.offset.copy_(-0.5 * ((means[1:] + means[0]) * weight.T).sum(dim=1))
