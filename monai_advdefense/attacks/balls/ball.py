"""What a ball is: where an attack with a budget may go, and how it is described by parameters."""

from __future__ import annotations

from typing import Protocol, Self

import torch
from torch import Tensor

__all__ = ["Ball", "BallAround"]


class Ball(Protocol):
    """All images that an attack may make of ``center`` ``(B, C, *spatial)``, each given by parameters ``(B, ...)``.

    The parameters of L2 and L-infinity ball are the image itself; of the others they are few. An attack climbs by
    the parameters, image by image.
    """

    @property
    def center(self) -> Tensor:
        """Images ``(B, C, *spatial)`` that are attacked."""
        ...

    def start(self) -> Tensor:
        """Parameters ``(B, ...)`` of the center."""
        ...

    def image(self, parameters: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` of parameters ``(B, ...)``, within budget and bounds; differentiable."""
        ...

    def project(self, parameters: Tensor) -> Tensor:
        """Parameters ``(B, ...)`` within the budget."""
        ...

    def within(self, gradient: Tensor) -> Tensor:
        """The part of a gradient ``(B, ...)`` that moves what may move."""
        ...

    def reach(self, norm: str) -> Tensor:
        """How far ``(B, 1, ...)`` parameters go, in ``"l2"`` or along all axes at once (``"linf"``)."""
        ...

    def random_points(self, generator: torch.Generator, count: int) -> list[Tensor]:
        """Draw ``count`` times parameters ``(B, ...)``, all of a sample before those of the next."""
        ...

    def shrink_to_center(self, chosen: Tensor) -> Self:
        """Leave the samples where ``chosen`` ``(B,)`` is true no way to go."""
        ...


class BallAround(Protocol):
    """Make the ball with a budget around images: ``linf``, ``l2``, ``low_frequencies``, ``bias_field`` and so on.

    Args:
        image: ``(B, C, *spatial)``.
        budget: one number or ``(B,)``.
        mask: ``(B or 1, 1 or C, *spatial)``, true where an image may change, or None.
        bounds: lowest and highest value of an image, or None.
    """

    def __call__(
        self,
        image: Tensor,
        budget: Tensor | float,
        *,
        mask: Tensor | None = None,
        bounds: tuple[float, float] | None = None,
    ) -> Ball:
        """The ball around ``image`` ``(B, C, *spatial)``."""
        ...
