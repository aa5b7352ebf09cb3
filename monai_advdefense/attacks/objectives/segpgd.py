"""The objective of SegPGD."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.logits import predicted_as
from monai_advdefense.attacks.objectives.objective import pixelwise, sum_over_pixels

__all__ = ["segpgd"]


def segpgd(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Cross entropy ``(B,)`` that turns from right pixels to all of them; arguments as of :class:`Objective`.

    Right pixels weigh ``1 - progress / 2``, wrong ones ``progress / 2``: at the start only right ones count.

    Source:
        Gu et al., "SegPGD: An Effective and Efficient Adversarial Attack for Evaluating and Boosting Segmentation
        Robustness" (ECCV 2022), equations 4 and 6, there divided by the number of pixels.

    Example:
        >>> logits = torch.tensor([[[3.0, 0.0], [1.0, 2.0]]])
        >>> segpgd(logits, torch.tensor([[0, 0]]), 0.0), segpgd(logits, torch.tensor([[0, 0]]), 0.5)
        (tensor([0.1269]), tensor([0.6269]))
    """
    right = predicted_as(logits.detach(), targets.clamp_min(0).unsqueeze(1))[:, 0]
    weight = torch.where(right, 1 - progress / 2, progress / 2)
    return sum_over_pixels(weight * pixelwise(logits, targets))
