"""Intensity curves: monotone maps of the values, as windowing and gamma correction make them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import check_at_least
from monai_advdefense.attacks.balls.norm_ball import ball_around
from monai_advdefense.attacks.balls.parametric import ParametricBall, sample_range

__all__ = ["IntensityCurve", "intensity_curve"]


@dataclass(frozen=True)
class IntensityCurve(ParametricBall):
    """Images whose values went through a rising curve, one for each channel; the lowest and highest stay.

    Attributes:
        pieces: number of straight pieces of the curve, of equal width.
    """

    pieces: int

    def start(self) -> Tensor:
        """Shifts ``(B, C, pieces - 1)`` of the inner nodes of the straight line: zeros."""
        return self.center.new_zeros(*self.center.shape[:2], self.pieces - 1)

    def made(self, parameters: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` of shifts ``(B, C, pieces - 1)``, linear between the nodes."""
        low, width = self._nodes()
        place = (self.center - low) / width
        image = self.center
        shifts = parameters.view(*parameters.shape, *[1] * (self.center.ndim - 2))
        for node in range(1, self.pieces):
            image = image + shifts[:, :, node - 1] * (1 - (place - node).abs()).clamp_min(0)
        return image

    def project(self, parameters: Tensor) -> Tensor:
        """Shifts ``(B, C, pieces - 1)`` within the budget of curves that never fall."""
        shape = (len(self.center), 1, 1)
        radius, width = self.limit.radius.view(shape), self._nodes()[1].view(shape)
        straight = width * torch.arange(1, self.pieces, device=parameters.device)
        curve = (straight + parameters.clamp(-radius, radius)).clamp_min(0).minimum(self.pieces * width)
        # The mean of the lowest curve above and the highest one below that never fall; both are within the budget.
        above, below = curve.cummax(2).values, curve.flip(2).cummin(2).values.flip(2)
        return ((above + below) / 2 - straight).clamp(-radius, radius)

    def reach(self, norm: str) -> Tensor:
        """The budget ``(B, 1, 1)``, in L2 that of all nodes together."""
        radius = self.limit.radius.view(len(self.center), 1, 1)
        return radius * self.start()[0].numel() ** 0.5 if norm == "l2" else radius

    def _nodes(self) -> tuple[Tensor, Tensor]:
        """Where the first node is, and the distance between two, both ``(B, 1, ...)``."""
        low, high = sample_range(self.center, self.limit.bounds)
        return low, ((high - low) / self.pieces).clamp_min(torch.finfo(low.dtype).eps)


def intensity_curve(
    image: Tensor,
    budget: Tensor | float,
    *,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = None,
    pieces: int = 8,
) -> IntensityCurve:
    """The ball of monotone maps of the values: brighter stays brighter, as after windowing or gamma correction.

    Args:
        image: ``(B, C, *spatial)``.
        budget: largest change of a value in units of the image, one number or ``(B,)``.
        mask: ``(B or 1, 1 or C, *spatial)``, true where an image may change, or None.
        bounds: lowest and highest value of an image, which the map keeps; None takes those of each image.
        pieces: number of straight pieces of the map, at least 2.
    """
    check_at_least("pieces", pieces, 2)
    return IntensityCurve(ball_around(image, budget, norm="linf", mask=mask, bounds=bounds), pieces)
