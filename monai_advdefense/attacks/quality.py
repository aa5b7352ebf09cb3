"""How good a prediction is: what an attack lowers, and by which the worst of several attacks is found."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED, flipped_pixels
from monai_advdefense.attacks.task import Task

__all__ = ["Quality", "mean_dice", "quality_of", "right_pixels"]


class Quality(Protocol):
    """How good each prediction is, in [0, 1]; higher is better.

    Args:
        logits: ``(B, K, *spatial)``; with a sigmoid, two classes for each structure.
        label: classes ``(B, *spatial)``.
        targets: the same, -100 where a pixel is not targeted.
    """

    def __call__(self, logits: Tensor, label: Tensor, targets: Tensor) -> Tensor:
        """Quality ``(B,)``, NaN where there is nothing to measure."""
        ...


def right_pixels(logits: Tensor, label: Tensor, targets: Tensor) -> Tensor:
    """Share ``(B,)`` of the targeted pixels that are predicted as their class; arguments as of :class:`Quality`.

    Example:
        >>> logits, label = torch.tensor([[[3.0, 0.0], [1.0, 2.0]]]), torch.tensor([[0, 0]])
        >>> right_pixels(logits, label, label)
        tensor([0.5000], dtype=torch.float64)
    """
    pixels = (targets != NOT_TARGETED).flatten(1).sum(1)
    return 1 - flipped_pixels(logits, targets).double() / pixels


def mean_dice(logits: Tensor, label: Tensor, targets: Tensor) -> Tensor:
    """Mean Dice ``(B,)`` over the structures that the label has; arguments as of :class:`Quality`.

    The background is no structure.

    Example:
        >>> logits, label = torch.tensor([[[3.0, 0.0], [1.0, 2.0]]]), torch.tensor([[1, 1]])
        >>> mean_dice(logits, label, label)
        tensor([0.6667], dtype=torch.float64)
    """
    batch, classes = logits.shape[:2]
    # argmax takes several times as long on the CPU.
    predicted, true = logits.max(1).indices.flatten(1), label.flatten(1)
    offset = classes * torch.arange(batch, device=label.device).unsqueeze(1)
    both = torch.where(predicted == true, true, classes * batch - offset)
    counts = [
        torch.bincount((each + offset).flatten(), minlength=batch * classes + 1)[: batch * classes]
        for each in (predicted, true, both)
    ]
    found, there, shared = (count.view(batch, classes)[:, 1:].double() for count in counts)
    dice = 2 * shared / (found + there)
    return torch.where(there > 0, dice, torch.nan).nanmean(1)


def quality_of(task: Task, logits: Tensor, quality: Quality | None) -> Tensor:
    """Quality ``(B,)`` of the images of a task, given its logits ``(B * L, K, *spatial)``.

    It is the mean over the rows of an image that have one; 1 where none has: there is nothing to lose. None takes the
    share of all targeted pixels of an image that are right, see :func:`right_pixels`.
    """
    if quality is None:
        pixels = task.pixels
        flipped = task.of_images(flipped_pixels(logits, task.targets))
        return 1 - flipped.double() / pixels.clamp_min(1)
    rows = quality(logits, task.label, task.targets).double().view(-1, task.rows)
    return rows.nanmean(1).nan_to_num(nan=1.0)
