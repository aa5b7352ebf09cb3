"""Cross entropy of the outlines."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.objectives.objective import pixelwise, sum_over_pixels
from monai_advdefense.losses.weighted_logistic_dice import class_boundary

__all__ = ["boundary"]


def boundary(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Cross entropy ``(B,)``, summed over the targeted pixels that touch another class; see :class:`Objective`.

    Pixels that are not targeted are a class of their own: the edge of a mask within a structure counts too.
    It moves outlines, which few pixels make: distances between surfaces follow it more closely than the other losses.

    Example:
        >>> boundary(torch.zeros(1, 2, 4), torch.tensor([[1, 1, -100, -100]]))
        tensor([0.6931])
    """
    return sum_over_pixels(torch.where(class_boundary(targets), pixelwise(logits, targets), 0.0))
