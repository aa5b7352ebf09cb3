"""An attack made of an objective, a step rule, a ball and a number of starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least, check_start
from monai_advdefense.attacks.attacking import attacking
from monai_advdefense.attacks.balls import Ball, BallAround, linf
from monai_advdefense.attacks.climb import Reached, better_of, climb
from monai_advdefense.attacks.objectives import Objective, cross_entropy
from monai_advdefense.attacks.prepared import prepared
from monai_advdefense.attacks.quality import Quality
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.steps import Step, sign
from monai_advdefense.attacks.task import Task
from monai_advdefense.messages import broken_rule

__all__ = ["composed_attack"]


def composed_attack(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    budget: Tensor | float,
    objective: Objective = cross_entropy,
    step: Step = sign,
    ball: BallAround = linf,
    n_steps: int = 20,
    restarts: int = 0,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    include_background: bool = False,
    activation: str = "softmax",
    logits_of: Callable[[Any], Tensor] | None = None,
    ignore_index: int | None = None,
    quality: Quality | None = None,
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> AttackResult:
    """Climb an objective by a step rule within a ball; the result of an image does not depend on the others.

    Targeted are the pixels within ``mask`` whose label is not 0, with ``include_background`` also those whose label is
    0. Of all points visited, the start among them, the earliest one of the lowest quality is returned. The network is
    put in evaluation mode and left as it was found.

    Args:
        network: differentiable map from images to logits ``(B, K, *spatial)``, or to what ``logits_of`` picks them of.
        image: images ``(B, C, *spatial)``, any number of spatial dimensions, on the device of the network.
        label: true or predicted classes ``(B, *spatial)``; for a sigmoid of several structures ``(B, L, *spatial)``.
        budget: size of the ball in units of the image, one number or ``(B,)``; 0 is the identity.
        objective: see :mod:`monai_advdefense.attacks.objectives`.
        step: see :mod:`monai_advdefense.attacks.steps`.
        ball: see :mod:`monai_advdefense.attacks.balls`.
        n_steps: number of steps from each start.
        restarts: number of random starts, beside the one from the image.
        mask: ``(B or 1, 1 or C, *spatial)``, true (not zero) where the image may change.
        bounds: lowest and highest value of an image, or None.
        include_background: also attack pixels whose label is 0.
        activation: ``"softmax"``, or ``"sigmoid"`` for networks with one channel for each structure, one or more.
        logits_of: from what the network returns to the logits; None if it returns them.
        ignore_index: value of the label whose pixels do not count.
        quality: what is to become low, see :mod:`monai_advdefense.attacks.quality`; None is the share of targeted
            pixels that are predicted as theirs.
        start: parameters ``(B, ...)`` to begin from instead of the image: :attr:`AttackResult.parameters` of a run with
            another budget.
        generator: source of the random starts.

    Returns:
        Attacked images and what was achieved on them.

    Warns:
        NoEffectWarning: nothing has changed, and the arguments are why.

    Raises:
        InputError: if an argument does not fit the others, or logits or gradients are not finite.

    Example:
        >>> image = torch.tensor([[[0.6, 0.9], [0.4, 0.1]]])  # (B, C, W), its own logits
        >>> found = composed_attack(nn.Identity(), image, torch.tensor([[0, 0]]), budget=0.2, include_background=True)
        >>> found.image.argmax(1), found.flipped
        (tensor([[1, 0]]), tensor([0.5000]))
    """
    check_at_least("restarts", restarts, 0)
    if restarts and generator is None:
        raise broken_rule("generator", "a torch.Generator for random starts", "None", "give one, or restarts=0")
    with attacking(network, image) as forward:
        around, task = prepared(
            forward,
            image,
            label,
            budget=budget,
            ball=ball,
            mask=mask,
            bounds=bounds,
            include_background=include_background,
            activation=activation,
            logits_of=logits_of,
            ignore_index=ignore_index,
        )
        reached = _best_of_starts(
            task,
            around,
            _starts(around, start, restarts, generator),
            objective=objective,
            step=step,
            n_steps=n_steps,
            quality=quality,
        )
        return AttackResult.of_climb(around, reached, task.pixels)


def _starts(ball: Ball, start: Tensor | None, restarts: int, generator: torch.Generator | None) -> list[Tensor]:
    """Parameters ``(B, ...)`` to begin from: given ones or those of the image, and random ones."""
    first = ball.start()
    check_start(start, first)
    first = first if start is None else ball.project(start.to(first))
    return [first] if generator is None or not restarts else [first, *ball.random_points(generator, restarts)]


def _best_of_starts(task: Task, ball: Ball, starts: list[Tensor], **climbing: Any) -> Reached:
    """What the climb from the best of the starts reached, image by image."""
    return reduce(better_of, [climb(task, ball, each, **climbing) for each in starts])
