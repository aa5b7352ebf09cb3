"""Cross entropy of the pixels that are still right."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.logits import predicted_as
from monai_advdefense.attacks.objectives.objective import pixelwise, sum_over_pixels

__all__ = ["masked_cross_entropy"]


def masked_cross_entropy(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Cross entropy ``(B,)``, summed over the targeted pixels still predicted as theirs; see :class:`Objective`.

    Nothing is spent on pixels that are lost; those that have been lost are free to come back.

    Source:
        Croce, Singh, Hein (ECCV 2024), section 3.2.

    Example:
        >>> logits = torch.tensor([[[3.0, 0.0], [1.0, 2.0]]])
        >>> masked_cross_entropy(logits, torch.tensor([[0, 0]]))
        tensor([0.1269])
    """
    right = predicted_as(logits.detach(), targets.clamp_min(0).unsqueeze(1))[:, 0]
    return sum_over_pixels(torch.where(right, pixelwise(logits, targets), 0.0))
