"""Bias fields: smooth factors, as coils of a scanner give them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import check_at_least
from monai_advdefense.attacks.balls.cosines import from_cosines
from monai_advdefense.attacks.balls.norm_ball import ball_around
from monai_advdefense.attacks.balls.parametric import ParametricBall, sample_range

__all__ = ["BiasField", "bias_field"]


@dataclass(frozen=True)
class BiasField(ParametricBall):
    """Images that are the center times a smooth factor, one for all channels.

    Attributes:
        orders: number of cosines along each axis that make the logarithm of the factor.
    """

    orders: int

    def start(self) -> Tensor:
        """Weights ``(B, 1, *orders)`` of factor 1: zeros."""
        spatial = [min(self.orders, length) for length in self.center.shape[2:]]
        return self.center.new_zeros(len(self.center), 1, *spatial)

    def made(self, parameters: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` of weights ``(B, 1, *orders)``."""
        low, _ = sample_range(self.center, self.limit.bounds)
        return self.center + (self.center - low) * torch.expm1(from_cosines(parameters, self.center.shape[2:]))

    def project(self, parameters: Tensor) -> Tensor:
        """Weights ``(B, 1, *orders)``, made smaller until no factor is too large."""
        peak = from_cosines(parameters, self.center.shape[2:]).abs().flatten(1).amax(1).view_as(self.limit.radius)
        return parameters * (self._largest() / peak.clamp_min(torch.finfo(peak.dtype).tiny)).clamp_max(1.0)

    def reach(self, norm: str) -> Tensor:
        """Length ``(B, 1, ...)`` of the weights in L2, or that over the root of their number."""
        length = self._largest() * self.center[0, 0].numel() ** 0.5
        return length if norm == "l2" else length / self.start()[0].numel() ** 0.5

    def _largest(self) -> Tensor:
        """Largest logarithm ``(B, 1, ...)`` of a factor: it changes the brightest pixel by the budget."""
        low, _ = sample_range(self.center, self.limit.bounds)
        brightest = (self.center - low).flatten(1).amax(1).view_as(self.limit.radius)
        return torch.log1p(self.limit.radius / brightest.clamp_min(torch.finfo(brightest.dtype).eps))


def bias_field(
    image: Tensor,
    budget: Tensor | float,
    *,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = None,
    orders: int = 5,
) -> BiasField:
    """The ball of smooth factors on the height above the lowest value, such as a coil gives.

    Args:
        image: ``(B, C, *spatial)``.
        budget: largest change of a pixel in units of the image, one number or ``(B,)``.
        mask: ``(B or 1, 1 or C, *spatial)``, true where an image may change, or None.
        bounds: lowest and highest value of an image; the factor is on the height above the lowest. None takes that of
            each image.
        orders: number of cosines along each axis that make the logarithm of the factor, at least 1.

    Source:
        Tian et al., "Bias Field Poses a Threat to DNN-based X-Ray Recognition" (ICME 2021).
    """
    check_at_least("orders", orders, 1)
    return BiasField(ball_around(image, budget, norm="linf", mask=mask, bounds=bounds), orders)
