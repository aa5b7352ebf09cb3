"""Soft Dice of the structures."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED

__all__ = ["soft_dice"]


def soft_dice(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Minus the soft Dice of each class that has a targeted pixel, summed ``(B,)``; arguments as of :class:`Objective`.

    Every structure weighs the same, however small, and what is predicted as it on other pixels counts against it. So
    it follows a mean Dice over structures more closely than a cross entropy, which large structures and pixels that
    are lost already dominate.

    Source:
        Milletari, Navab, Ahmadi, "V-Net" (3DV 2016), section 3, there with squares in the denominator.

    Example:
        >>> soft_dice(torch.tensor([[[0.0, 0.0], [100.0, -100.0]]]), torch.tensor([[1, -100]]))
        tensor([-1.])
    """
    # Sums over pixels are beyond half precision.
    whole = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    probabilities = whole.softmax(1).flatten(2)
    classes = targets.clamp_min(0).flatten(1).unsqueeze(1)
    targeted = (targets != NOT_TARGETED).flatten(1).unsqueeze(1)
    true = torch.zeros_like(probabilities).scatter_(1, classes, targeted.to(probabilities))
    # A class without a targeted pixel has a Dice of 0, and a gradient of 0.
    return -(2 * (probabilities * true).sum(2) / (probabilities.sum(2) + true.sum(2)).clamp_min(1e-6)).sum(1)
