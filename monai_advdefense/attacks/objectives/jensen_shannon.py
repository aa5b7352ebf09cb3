"""Jensen-Shannon divergence between prediction and label."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from monai_advdefense.attacks.objectives.objective import sum_over_pixels
from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED

__all__ = ["jensen_shannon"]


def jensen_shannon(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Divergence ``(B,)``, summed over the targeted pixels; arguments as of :class:`Objective`.

    It is bounded by log 2 a pixel, and flat where a pixel is lost for good: pixels that can still be lost decide. With
    p the probability of the class, it is ``log 2 + (p log p - (1 + p) log(1 + p)) / 2``.

    Source:
        Croce, Singh, Hein (ECCV 2024), section 3.2.

    Example:
        >>> jensen_shannon(torch.tensor([[[0.0], [100.0]]]), torch.tensor([[0]]))
        tensor([0.6931])
    """
    log_p = logits.log_softmax(1).gather(1, targets.clamp_min(0).unsqueeze(1))[:, 0]
    p = log_p.exp()
    divergence = math.log(2) + (p * log_p - (1 + p) * torch.log1p(p)) / 2
    return sum_over_pixels(torch.where(targets != NOT_TARGETED, divergence, 0.0))
