"""Erase one structure from a segmentation and leave the others as they are."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least, check_label, per_sample
from monai_advdefense.attacks.attacking import attacking
from monai_advdefense.attacks.balls.norm_ball import ball_around
from monai_advdefense.attacks.climb import climb
from monai_advdefense.attacks.objectives import structure_margin
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.steps import l2_step
from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED
from monai_advdefense.attacks.task import Outputs, Task
from monai_advdefense.messages import broken_rule

__all__ = ["erase_structure"]


def erase_structure(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    structure: Tensor | int,
    radius: Tensor | float,
    steps: int = 20,
    step_size: Tensor | float | None = None,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> AttackResult:
    """Take one structure out of the prediction within an L2 ball around each image.

    Projected gradient descent on the :func:`~monai_advdefense.attacks.objectives.structure_margin` of the structure's
    pixels; of all iterates the earliest one with the most of them lost is returned. Give as ``network`` the reformer
    and the segmenter in a row to attack through both. A sample without a pixel of the structure stays as it is.

    Args:
        network: differentiable map from images to logits ``(B, K, *spatial)``.
        image: images ``(B, C, *spatial)``, on the device of the network.
        label: true or predicted classes ``(B, *spatial)``.
        structure: class to erase, one or ``(B,)``.
        radius: largest L2 norm of the perturbation in units of the image, one number or ``(B,)``.
        steps: number of steps.
        step_size: L2 length of one step, one number or ``(B,)``; None takes a fifth of the radius.
        mask: ``(B or 1, 1 or C, *spatial)``, the perturbation lives only where it is true (not zero).
        bounds: lowest and highest value of an image, enforced after each step, or None.

    Returns:
        Attacked images and what was achieved on them; ``success``: no pixel of the structure is predicted as it.

    Raises:
        InputError: if an argument does not fit the others, or logits or gradients are not finite.

    Example:
        >>> image = torch.tensor([[[0.6, 0.9], [0.4, 0.1]]])  # (B, C, W), its own logits
        >>> found = erase_structure(nn.Identity(), image, torch.tensor([[0, 0]]), structure=0, radius=0.8)
        >>> found.image.argmax(1), found.success
        (tensor([[1, 1]]), tensor([True]))
    """
    check_at_least("steps", steps, 1)
    with attacking(network, image) as forward:
        ball = ball_around(image, radius, norm="l2", mask=mask, bounds=bounds)
        size = ball.radius / 5 if step_size is None else per_sample("step_size", step_size, ball.center)
        targets = _targets(label, structure, ball.center)
        pixels = (targets != NOT_TARGETED).flatten(1).sum(1)
        ball = ball.shrink_to_center(pixels == 0)
        reached = climb(
            Task(forward, Outputs(), targets.clamp_min(0), targets),
            ball,
            ball.center,
            objective=structure_margin,
            step=partial(l2_step, size=size),
            n_steps=steps,
            stop_at_zero=False,
        )
    return AttackResult.of_climb(ball, reached, pixels)


def _targets(label: Tensor, structure: Tensor | int, image: Tensor) -> Tensor:
    """The structure's class where the label is it, -100 elsewhere."""
    check_label("label", label, (image.shape[0], *image.shape[2:]))
    chosen = torch.as_tensor(structure, device=label.device).as_subclass(Tensor)
    if chosen.is_floating_point() or chosen.shape not in ((), image.shape[:1]) or bool((chosen < 0).any()):
        raise broken_rule(
            "structure",
            f"one class >= 0 or one for each of {len(image)} images",
            structure,
            "give a class of the label",
        )
    classes = label.as_subclass(Tensor).long()
    wanted = chosen.expand(len(image)).view(-1, *[1] * (classes.ndim - 1))
    return torch.where(classes == wanted, classes, NOT_TARGETED)
