"""Overlap counts of the pixels that are certified."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.metrics.dice import overlap_counts

__all__ = ["certified_counts"]


def certified_counts(prediction: Tensor, radius: Tensor, label: Tensor, *, at: float, num_classes: int) -> Tensor:
    """Sizes from which the certified Dice of each class follows, for each sample.

    A pixel whose radius is smaller than ``at`` has no label, which is an error of its true class: abstention counts as
    a class of its own.

    Args:
        prediction: predicted classes ``(B, *spatial)``, whole numbers from 0 to ``num_classes - 1``.
        radius: certified radii ``(B, *spatial)``, in units of the image; 0 is an abstention.
        label: true classes ``(B, *spatial)``.
        at: radius that is asked for, in units of the image; above 0.
        num_classes: number of classes C, the background included.

    Returns:
        Voxels ``(B, C, 3)`` int64 as of :func:`~monai_advdefense.metrics.overlap_counts`.

    Raises:
        InputError: if the shapes differ or a value is not one of the classes.

    Example:
        >>> prediction, label = torch.tensor([[1, 1, 0, 0]]), torch.tensor([[1, 1, 1, 0]])
        >>> certified_counts(prediction, torch.tensor([[0.3, 0.0, 0.3, 0.3]]), label, at=0.2, num_classes=2)[0, 1]
        tensor([1, 1, 3])
    """
    claimed = torch.where(radius >= at, prediction, num_classes)
    return overlap_counts(claimed, label, num_classes + 1)[:, :num_classes]
