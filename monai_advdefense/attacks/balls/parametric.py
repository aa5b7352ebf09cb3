"""What balls with few parameters share: their images lie within a norm ball, to the last digit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from monai_advdefense.attacks.balls.norm_ball import NormBall, unit

__all__ = ["ParametricBall", "sample_range"]


@dataclass(frozen=True)
class ParametricBall(ABC):
    """A ball whose images are made from parameters and lie within a norm ball.

    Attributes:
        limit: the norm ball ``(B, C, *spatial)``, which has budget, mask and bounds.
    """

    limit: NormBall

    @property
    def center(self) -> Tensor:
        """Images ``(B, C, *spatial)`` that are attacked."""
        return self.limit.center

    @abstractmethod
    def start(self) -> Tensor:
        """Parameters ``(B, ...)`` of the center."""

    @abstractmethod
    def made(self, parameters: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` of parameters ``(B, ...)``, before mask and bounds."""

    @abstractmethod
    def project(self, parameters: Tensor) -> Tensor:
        """Parameters ``(B, ...)`` within the budget."""

    @abstractmethod
    def reach(self, norm: str) -> Tensor:
        """How far ``(B, 1, ...)`` parameters go, in ``"l2"`` or along all axes at once (``"linf"``)."""

    def image(self, parameters: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` of parameters ``(B, ...)``; differentiable."""
        made = self.made(parameters)
        if self.limit.mask is not None:
            made = torch.where(self.limit.mask, made, self.center)
        if self.limit.bounds is not None:
            made = made.clamp(*self.limit.bounds)
        exact: Tensor = _Exact.apply(made, self.limit.project(made.detach()))
        return exact

    def within(self, gradient: Tensor) -> Tensor:
        """The gradient ``(B, ...)``: every parameter may move."""
        return gradient

    def random_points(self, generator: torch.Generator, count: int) -> list[Tensor]:
        """Draw ``count`` times parameters ``(B, ...)`` of random direction and size, sample by sample."""
        like = self.start()
        options = {"generator": generator, "device": generator.device, "dtype": like.dtype}
        changes = like.new_empty(count, *like.shape)
        for place, sample in enumerate(like):
            for change in changes:
                change[place] = _draw(sample, options)
        reach = self.reach("l2")
        return [self.project(like + reach * change) for change in changes]

    def shrink_to_center(self, chosen: Tensor) -> Self:
        """Leave the samples where ``chosen`` ``(B,)`` is true no way to go."""
        return replace(self, limit=self.limit.shrink_to_center(chosen))


class _Exact(torch.autograd.Function):
    """Values from a projection that only rounding tells from what was made; the gradient passes."""

    @staticmethod
    def forward(ctx: Any, made: Tensor, exact: Tensor) -> Tensor:
        return exact

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def sample_range(image: Tensor, bounds: tuple[float, float] | None) -> tuple[Tensor, Tensor]:
    """Lowest and highest value ``(B, 1, ...)`` that images ``(B, C, *spatial)`` may have: bounds, or their own."""
    axes = tuple(range(1, image.ndim))
    if bounds is None:
        return image.amin(axes, keepdim=True), image.amax(axes, keepdim=True)
    shape = (len(image), *[1] * (image.ndim - 1))
    return image.new_full(shape, bounds[0]), image.new_full(shape, bounds[1])


def _draw(like: Tensor, options: dict[str, Any]) -> Tensor:
    """A direction of the shape of ``like``, of random length up to 1."""
    direction = unit(torch.randn(like.shape, **options)[None])[0]
    return (direction * torch.rand((), **options)).to(like.device)
