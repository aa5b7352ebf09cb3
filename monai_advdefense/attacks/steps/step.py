"""What a step rule is: from where a walk is to where it goes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from monai_advdefense.attacks.balls import Ball

__all__ = ["Here", "Step", "step_share"]


@dataclass(frozen=True)
class Here:
    """Where a walk is, image by image.

    Attributes:
        point: parameters ``(B, ...)`` of the ball.
        loss: loss ``(B,)`` there.
        gradient: its gradient ``(B, ...)`` by the parameters, 0 where nothing may move.
        index: number of steps that were taken.
        n_steps: number of steps that will have been taken.
    """

    point: Tensor
    loss: Tensor
    gradient: Tensor
    index: int
    n_steps: int


class Step(Protocol):
    """A step rule: parameters ``(B, ...)`` of the next point within the ball, and a memory for the next call."""

    def __call__(self, here: Here, ball: Ball, memory: Any = None) -> tuple[Tensor, Any]:
        """Next point ``(B, ...)`` and memory; the memory of the first call is None."""
        ...


def step_share(n_steps: int) -> float:
    """Length of a step as a share of the way to the surface: the steps together go 2.5 times as far.

    Source:
        Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR 2018), section 5.

    Example:
        >>> step_share(20), step_share(1)
        (0.125, 1.0)
    """
    return min(1.0, 2.5 / max(n_steps, 1))
