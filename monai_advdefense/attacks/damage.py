"""The damage of an attack: how much of a segmentation is no longer right, and which way its loss rises."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from monai_advdefense.attacks.arguments import check_label
from monai_advdefense.attacks.logits import check_gradient, check_logits, predicted_as

__all__ = ["cross_entropy_loss", "damage", "dice_loss", "segmentation_targets"]

_NOT_TARGETED = -100


def segmentation_targets(label: Tensor, image: Tensor, mask: Tensor | None, include_background: bool) -> Tensor:
    """Give the classes that an attack wants to be missed: ``label``, and -100 where a pixel is not targeted.

    Targeted are the pixels within the mask whose label is not 0, with ``include_background`` also those whose label
    is 0.

    Args:
        label: classes ``(B, *spatial)``.
        image: images ``(B, C, *spatial)``, for the shape and device.
        mask: bool ``(B or 1, 1, *spatial)``, or None.
        include_background: also target pixels whose label is 0.

    Returns:
        int64 classes ``(B, *spatial)`` that share nothing with ``label``.

    Raises:
        InputError: if ``label`` does not fit ``image``.
    """
    check_label("label", label, (image.shape[0], *image.shape[2:]))
    classes = label.as_subclass(Tensor).long().clone()
    if not include_background:
        classes.masked_fill_(classes == 0, _NOT_TARGETED)
    return classes if mask is None else classes.masked_fill(~mask[:, 0], _NOT_TARGETED)


def cross_entropy_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy ``()`` of logits ``(B, K, *spatial)``, summed over the targeted pixels ``(B, *spatial)``."""
    return cross_entropy(logits, targets, ignore_index=_NOT_TARGETED, reduction="sum")


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Minus the soft Dice ``()`` of each class that has a targeted pixel, summed over classes and samples.

    Every structure weighs the same, however small, and what is predicted as it on other pixels counts against it. So
    it follows a mean Dice over structures more closely than :func:`cross_entropy_loss`, which large structures and
    pixels that are lost already dominate.

    Args:
        logits: ``(B, K, *spatial)``.
        targets: see :func:`segmentation_targets`, ``(B, *spatial)``.

    Source:
        Milletari, Navab, Ahmadi, "V-Net" (3DV 2016), section 3, there with squares in the denominator.
    """
    # Sums over pixels are beyond half precision.
    whole = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    probabilities = whole.softmax(1).flatten(2)
    classes = targets.clamp_min(0).flatten(1).unsqueeze(1)
    targeted = (targets != _NOT_TARGETED).flatten(1).unsqueeze(1)
    true = torch.zeros_like(probabilities).scatter_(1, classes, targeted.to(probabilities))
    # A class without a targeted pixel has a Dice of 0, and a gradient of 0.
    return -(2 * (probabilities * true).sum(2) / (probabilities.sum(2) + true.sum(2)).clamp_min(1e-6)).sum()


def damage(
    network: nn.Module,
    image: Tensor,
    targets: Tensor,
    *,
    differentiate: bool,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy_loss,
) -> tuple[Tensor, Tensor]:
    """Count the targeted pixels that are not predicted as their class, and tell which way the loss rises.

    A tie of logits counts as predicted. One forward pass and one gradient.

    Args:
        network: differentiable map from images to logits ``(B, K, *spatial)``.
        image: images ``(B, C, *spatial)``.
        targets: see :func:`segmentation_targets`.
        differentiate: find the gradient; without it, it is given as zero.
        loss: map from logits and targets to a sum over the samples.

    Returns:
        The number of flipped pixels ``(B,)`` int64 and the gradient of the loss by the image, of its shape.

    Raises:
        InputError: if logits or gradients are not usable.
    """
    image = image.detach().requires_grad_(differentiate)
    logits = network(image)
    check_logits(logits, image, label=targets)
    predicted = predicted_as(logits.detach(), targets.clamp_min(0).unsqueeze(1))[:, 0]
    flipped = (~predicted & (targets != _NOT_TARGETED)).flatten(1).sum(1)
    if not differentiate:
        return flipped, torch.zeros_like(image)
    (gradient,) = torch.autograd.grad(loss(logits, targets), image)
    check_gradient("network", gradient)
    return flipped, gradient
