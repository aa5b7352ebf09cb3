"""Entropy of a prediction, structure by structure."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.guard.divergence import counted_pixels, mean_by_structure, predicted_structures

__all__ = ["structure_entropy"]


def structure_entropy(
    logits: Tensor, image: Tensor, foreground: float = 0.05, labels: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean entropy of the softmax over the pixels of each predicted class, and how many these are.

    Args:
        logits: ``(B, C, *spatial)``.
        image: ``(B, channels, *spatial)`` in [0, 1].
        foreground: a pixel of class 0 counts where ``image`` is above this in any channel.
        labels: ``(B, *spatial)``, the predicted classes, where they are known; None finds them.

    Returns:
        Mean entropies ``(B, C)`` in nats, in ``[0, ln C]``, 0 for a class without a pixel, and numbers of pixels
        ``(B, C)`` int64.

    Example:
        >>> logits = torch.tensor([[[0.0, 99.0], [0.0, 0.0]]])
        >>> structure_entropy(logits, torch.ones(1, 1, 2))
        (tensor([[0.3466, 0.0000]]), tensor([[2, 0]]))
    """
    predicted, inside = predicted_structures(logits, image, foreground, labels)
    entropy = torch.cat([_entropy(part) for part in counted_pixels(logits, inside)])
    return mean_by_structure(entropy, predicted, inside, logits.shape[1])


def _entropy(logits: Tensor) -> Tensor:
    """Entropies ``(n,)`` of logits ``(1, C, n)``."""
    log_probability = torch.log_softmax(logits.float(), dim=1)
    return -(log_probability.exp() * log_probability).sum(dim=1)[0]
