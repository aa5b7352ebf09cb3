"""Changes of low spatial frequency."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import check_at_least
from monai_advdefense.attacks.balls.cosines import from_cosines
from monai_advdefense.attacks.balls.norm_ball import ball_around
from monai_advdefense.attacks.balls.parametric import ParametricBall

__all__ = ["LowFrequencies", "low_frequencies"]


@dataclass(frozen=True)
class LowFrequencies(ParametricBall):
    """Images that differ from the center by a weighted sum of slow cosines.

    Attributes:
        orders: number of cosines along each axis.
    """

    orders: int

    def start(self) -> Tensor:
        """Weights ``(B, C, *orders)`` of no change: zeros."""
        spatial = [min(self.orders, length) for length in self.center.shape[2:]]
        return self.center.new_zeros(*self.center.shape[:2], *spatial)

    def made(self, parameters: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` of weights ``(B, C, *orders)``."""
        return self.center + from_cosines(parameters, self.center.shape[2:])

    def project(self, parameters: Tensor) -> Tensor:
        """Weights ``(B, C, *orders)``, made smaller until the change within the mask is within the budget."""
        change = self.limit.within(from_cosines(parameters, self.center.shape[2:])).flatten(1)
        order = 2 if self.limit.norm == "l2" else torch.inf
        length = torch.linalg.vector_norm(change, ord=order, dim=1).view_as(self.limit.radius)
        return parameters * (self.limit.radius / length.clamp_min(torch.finfo(change.dtype).tiny)).clamp_max(1.0)

    def reach(self, norm: str) -> Tensor:
        """Length ``(B, 1, ...)`` of the weights in L2, or that over the root of their number."""
        length = self.limit.reach("l2")
        return length if norm == "l2" else length / self.start()[0].numel() ** 0.5


def low_frequencies(
    image: Tensor,
    budget: Tensor | float,
    *,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = None,
    norm: str = "linf",
    orders: int = 12,
) -> LowFrequencies:
    """The ball of changes that are sums of the ``orders`` slowest cosines along each axis.

    A low-pass filter does not remove such a change, and a detector of high frequencies does not see it. Mask and
    bounds are applied to the sum, so that there is an edge where they cut it.

    Args:
        image: ``(B, C, *spatial)``.
        budget: largest ``norm`` of the change in units of the image, one number or ``(B,)``.
        mask: ``(B or 1, 1 or C, *spatial)``, true where an image may change, or None.
        bounds: lowest and highest value of an image, or None.
        norm: ``"linf"`` or ``"l2"``.
        orders: number of cosines along each axis, at least 1.

    Source:
        Guo, Frank, Weinberger, "Low Frequency Adversarial Perturbation" (UAI 2019).
    """
    check_at_least("orders", orders, 1)
    return LowFrequencies(ball_around(image, budget, norm=norm, mask=mask, bounds=bounds), orders)
