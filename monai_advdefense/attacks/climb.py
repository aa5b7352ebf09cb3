"""The one loop: climb an objective within a ball, and keep the point that damages most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import check_at_least
from monai_advdefense.attacks.balls import Ball
from monai_advdefense.attacks.logits import check_gradient
from monai_advdefense.attacks.objectives import Objective
from monai_advdefense.attacks.objectives.objective import with_label
from monai_advdefense.attacks.quality import Quality, quality_of
from monai_advdefense.attacks.steps import Here, Step
from monai_advdefense.attacks.targeted_pixels import flipped_pixels
from monai_advdefense.attacks.task import Task

__all__ = ["Reached", "better_of", "climb"]


@dataclass(frozen=True)
class Reached:
    """What an attack has reached, image by image.

    Attributes:
        point: parameters ``(B, ...)`` of the ball.
        quality: of the prediction ``(B,)``.
        flipped: number ``(B,)`` of targeted pixels that are not predicted as theirs.
        iterations: number ``(B,)`` of steps that were taken.
        quality_at_start: quality ``(B,)`` at the first point.
        moved: whether another point was visited, ``(B,)``.
    """

    point: Tensor
    quality: Tensor
    flipped: Tensor
    iterations: Tensor
    quality_at_start: Tensor
    moved: Tensor


def climb(
    task: Task,
    ball: Ball,
    start: Tensor,
    *,
    objective: Objective,
    step: Step,
    n_steps: int,
    quality: Quality | None = None,
    keep: str = "best",
    stop_at_zero: bool = True,
) -> Reached:
    """Take ``n_steps`` steps up the objective from parameters ``start`` ``(B, ...)``.

    A step costs one forward pass and one gradient, the end one more forward pass.

    Args:
        task: what is attacked.
        ball: where the attack may go.
        start: parameters ``(B, ...)``, within the ball.
        objective: loss that is climbed.
        step: step rule.
        n_steps: number of steps, at least 1.
        quality: what is to become low, see :func:`~monai_advdefense.attacks.quality.quality_of`.
        keep: ``"best"``, the earliest point of the lowest quality, the start among them; or ``"last"``.
        stop_at_zero: end once no image has any quality left; the points kept are the same.

    Raises:
        InputError: if logits or gradients are not usable.
    """
    check_at_least("n_steps", n_steps, 1)
    objective = with_label(objective, task.label)
    here, reached = _visit(task, ball, start, objective, quality, 0, n_steps)
    memory: Any = None
    for index in range(1, n_steps + 1):
        if stop_at_zero and not (reached.quality > 0).any():
            break
        point, memory = step(here, ball, memory)
        here, found = _visit(task, ball, point, objective, quality, index, n_steps)
        moved = (point != start).flatten(1).any(1)
        better = (found.quality < reached.quality) | (keep == "last")
        # Steps of an image after it has lost everything are those of the others.
        steps = torch.where(reached.quality > 0, index, reached.iterations) if stop_at_zero else found.iterations
        reached = _taken(reached, replace(found, moved=moved), better, steps)
    return reached


def better_of(first: Reached, second: Reached) -> Reached:
    """For each image the point of lower quality, the first of two that are alike; their steps add up."""
    return _taken(first, second, second.quality < first.quality, first.iterations + second.iterations)


def _taken(reached: Reached, found: Reached, where: Tensor, iterations: Tensor) -> Reached:
    """What was found where ``(B,)`` is true, else what was reached before."""
    return Reached(
        torch.where(where.view(-1, *[1] * (found.point.ndim - 1)), found.point, reached.point),
        torch.where(where, found.quality, reached.quality),
        torch.where(where, found.flipped, reached.flipped),
        iterations,
        reached.quality_at_start,
        reached.moved | found.moved,
    )


def _visit(
    task: Task, ball: Ball, point: Tensor, objective: Objective, quality: Quality | None, index: int, n_steps: int
) -> tuple[Here, Reached]:
    """Loss and gradient at ``point`` ``(B, ...)``, and what is reached there."""
    ahead = index < n_steps
    point = point.detach().requires_grad_(ahead)
    logits = task.logits(ball.image(point))
    seen = logits.detach()
    flipped = task.of_images(flipped_pixels(seen, task.targets))
    value = quality_of(task, seen, quality)
    unmoved = torch.zeros_like(value, dtype=torch.bool)
    found = Reached(point.detach(), value, flipped, torch.full_like(flipped, index), value, unmoved)
    gradient, loss = torch.zeros_like(point), found.quality
    if ahead:
        losses = task.of_images(objective(logits, task.targets, index / n_steps))
        (gradient,) = torch.autograd.grad(losses.sum(), point)
        check_gradient("network", gradient)
        loss = losses.detach()
    return Here(point.detach(), loss, ball.within(gradient), index, n_steps), found
