"""Cross entropy in which every class weighs the same."""

from __future__ import annotations

from torch import Tensor

from monai_advdefense.attacks.objectives.objective import pixelwise
from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED

__all__ = ["balanced_cross_entropy"]


def balanced_cross_entropy(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Mean cross entropy of each class that has a targeted pixel, summed ``(B,)``; arguments as of :class:`Objective`.

    Source:
        Croce, Singh, Hein, "Towards Reliable Evaluation and Fast Training of Robust Semantic Segmentation Models"
        (ECCV 2024), section 3.2: the loss that finds damage of small classes.

    Example:
        >>> import torch
        >>> balanced_cross_entropy(torch.zeros(1, 2, 3), torch.tensor([[0, 1, 1]]))
        tensor([1.3863])
    """
    losses, classes = pixelwise(logits, targets).flatten(1), targets.flatten(1)
    here = classes != NOT_TARGETED
    places = classes.clamp_min(0)
    count = losses.new_zeros(len(losses), logits.shape[1]).scatter_add_(1, places, here.to(losses))
    return (losses / count.gather(1, places).clamp_min(1)).sum(1)
