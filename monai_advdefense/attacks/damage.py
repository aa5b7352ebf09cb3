"""The damage of an attack: how much of a segmentation is no longer right, and which way its loss rises."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.logits import check_gradient
from monai_advdefense.attacks.objectives import Objective, cross_entropy
from monai_advdefense.attacks.targeted_pixels import flipped_pixels
from monai_advdefense.attacks.task import Task

__all__ = ["damage"]


def damage(task: Task, image: Tensor, *, differentiate: bool, loss: Objective = cross_entropy) -> tuple[Tensor, Tensor]:
    """Count the targeted pixels that are not predicted as their class, and tell which way the loss rises.

    A tie of logits counts as predicted. One forward pass and one gradient.

    Args:
        task: what is attacked.
        image: images ``(B, C, *spatial)``.
        differentiate: find the gradient; without it, it is given as zero.
        loss: objective that rises with the damage, see :mod:`monai_advdefense.attacks.objectives`.

    Returns:
        The number of flipped pixels ``(B,)`` int64 and the gradient of the loss by the image, of its shape.

    Raises:
        InputError: if logits or gradients are not usable.
    """
    image = image.detach().requires_grad_(differentiate)
    logits = task.logits(image)
    flipped = task.of_images(flipped_pixels(logits.detach(), task.targets))
    if not differentiate:
        return flipped, torch.zeros_like(image)
    (gradient,) = torch.autograd.grad(loss(logits, task.targets).sum(), image)
    check_gradient("network", gradient)
    return flipped, gradient
