"""What every attack with a budget begins with: its ball and its task, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from monai_advdefense.attacks.balls import Ball, BallAround
from monai_advdefense.attacks.task import Outputs, Task, make_task

__all__ = ["prepared"]


def prepared(
    forward: Callable[[Tensor], Any],
    image: Tensor,
    label: Tensor,
    *,
    budget: Tensor | float,
    ball: BallAround,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    include_background: bool = False,
    activation: str = "softmax",
    logits_of: Callable[[Any], Tensor] | None = None,
    ignore_index: int | None = None,
) -> tuple[Ball, Task]:
    """Ball around ``image`` ``(B, C, *spatial)`` and task; an image without a targeted pixel cannot leave its center.

    Arguments as of :func:`~monai_advdefense.attacks.composed_attack`.

    Raises:
        InputError: if an argument does not fit the others.
    """
    around = ball(image, budget, mask=mask, bounds=bounds)
    allowed = None if mask is None else mask.as_subclass(Tensor).bool()
    outputs = Outputs(activation, logits_of, ignore_index)
    task = make_task(
        forward, around.center, label, mask=allowed, include_background=include_background, outputs=outputs
    )
    return around.shrink_to_center(task.pixels == 0), task
