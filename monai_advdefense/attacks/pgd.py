"""Projected gradient descent (PGD): the strongest segmentation loss within a budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least, check_choice, per_sample
from monai_advdefense.attacks.attacking import attacking
from monai_advdefense.attacks.balls.norm_ball import NORMS, l2, linf
from monai_advdefense.attacks.climb import climb
from monai_advdefense.attacks.objectives import cross_entropy
from monai_advdefense.attacks.prepared import prepared
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.steps import l2_step, sign

__all__ = ["pgd"]

RESULTS = ("best", "last")
_BALLS = {"l2": l2, "linf": linf}
_STEPS = {"l2": l2_step, "linf": sign}


def pgd(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    radius: Tensor | float,
    steps: int,
    step_size: Tensor | float,
    norm: str = "l2",
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    include_background: bool = False,
    activation: str = "softmax",
    logits_of: Callable[[Any], Tensor] | None = None,
    ignore_index: int | None = None,
    generator: torch.Generator | None = None,
    result: str = "last",
) -> AttackResult:
    """Climb the segmentation loss within a ball around each image (PGD).

    Each step adds ``step_size`` times the direction of the gradient of the loss (the gradient over its L2 norm, or
    its sign for ``"linf"``), then projects onto the ball of ``radius`` around the original and clamps to ``bounds``.
    The loss is the cross entropy over the targeted pixels: those within ``mask`` whose label is not 0, with
    ``include_background`` also those whose label is 0. A sample without a targeted pixel stays as it is. The result
    of a sample does not depend on the others.

    The network is put in evaluation mode and left as it was found, its gradients and statistics untouched. One step
    costs one forward pass and one gradient of the image; the end costs one more forward pass.

    Args:
        network: differentiable map from images to logits ``(B, K, *spatial)``.
        image: images ``(B, C, *spatial)``, any number of spatial dimensions, on the device of the network.
        label: true or predicted classes ``(B, *spatial)``.
        radius: largest norm of the perturbation in units of the image, one number or ``(B,)``; 0 is the identity. No
            norm is above it; what reaches the sphere lies within it by a relative 64 epsilons of the dtype.
        steps: number of steps.
        step_size: length of one step in ``norm``, in units of the image, one number or ``(B,)``.
        norm: ``"l2"`` or ``"linf"``.
        mask: ``(B or 1, 1 or C, *spatial)``, the perturbation lives only where it is true (not zero).
        bounds: lowest and highest value of an image, enforced after each step, or None.
        include_background: also attack pixels whose label is 0.
        activation: ``"softmax"``, or ``"sigmoid"`` for networks with one channel for each structure, one or more.
        logits_of: from what the network returns to the logits; None if it returns them.
        ignore_index: value of the label whose pixels do not count.
        generator: start at a point drawn uniformly from the ball (sample by sample), as Madry et al. do; None starts
            at the image.
        result: ``"last"`` returns the last iterate; ``"best"`` the earliest one with the most flipped pixels, the
            start counted among them.

    Returns:
        Attacked images and what was achieved on them.

    Raises:
        InputError: if an argument does not fit the others, or logits or gradients are not finite.

    Source:
        Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR 2018).

    Example:
        >>> image = torch.tensor([[[0.6, 0.9], [0.4, 0.1]]])  # (B, C, W), its own logits
        >>> label = torch.tensor([[0, 0]])
        >>> found = pgd(nn.Identity(), image, label, radius=0.2, steps=3, step_size=0.1, include_background=True)
        >>> found.image.argmax(1), f"{found.norm.item():.4f}"
        (tensor([[1, 0]]), '0.2000')
    """
    check_choice("result", result, RESULTS)
    check_choice("norm", norm, NORMS)
    check_at_least("steps", steps, 1)
    with attacking(network, image) as forward:
        ball, task = prepared(
            forward,
            image,
            label,
            budget=radius,
            ball=_BALLS[norm],
            mask=mask,
            bounds=bounds,
            include_background=include_background,
            activation=activation,
            logits_of=logits_of,
            ignore_index=ignore_index,
        )
        reached = climb(
            task,
            ball,
            ball.start() if generator is None else ball.random_points(generator, 1)[0],
            objective=cross_entropy,
            step=partial(_STEPS[norm], size=per_sample("step_size", step_size, ball.center)),
            n_steps=steps,
            keep=result,
            stop_at_zero=False,
        )
    return AttackResult.of_climb(ball, reached, task.pixels)
