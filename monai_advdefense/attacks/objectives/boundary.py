"""Cross entropy of the outlines."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.objectives.objective import pixelwise, sum_over_pixels
from monai_advdefense.losses.weighted_logistic_dice import class_boundary

__all__ = ["boundary"]


def boundary(logits: Tensor, targets: Tensor, progress: float = 0.0, *, label: Tensor | None = None) -> Tensor:
    """Cross entropy ``(B,)``, summed over the targeted pixels that touch another class; see :class:`Objective`.

    It moves outlines, which few pixels make: distances between surfaces follow it more closely than the other losses.

    Args:
        logits: as of :class:`Objective`, as ``targets`` and ``progress`` are.
        targets: see above.
        progress: see above.
        label: classes ``(B, *spatial)`` of all pixels; None takes ``targets``, in which those that are not targeted
            are a class of their own, so that the edge of a mask within a structure counts as an outline.

    Example:
        >>> targets = torch.tensor([[1, 1, -100, -100]])
        >>> boundary(torch.zeros(1, 2, 4), targets)
        tensor([0.6931])
        >>> boundary(torch.zeros(1, 2, 4), targets, label=torch.tensor([[1, 1, 1, 0]]))
        tensor([0.])
    """
    outline = class_boundary(targets if label is None else label)
    return sum_over_pixels(torch.where(outline, pixelwise(logits, targets), 0.0))
