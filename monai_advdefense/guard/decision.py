"""The rule by which a guard accepts a sample."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["accepts", "is_blank"]


def is_blank(image: Tensor) -> Tensor:
    """Return ``(B,)`` bool: no voxel of the sample of ``image`` ``(B, C, *spatial)`` lies above 0."""
    return torch.logical_not((image > 0).flatten(1).any(dim=1))


def accepts(image: Tensor, score: Tensor, threshold: Tensor) -> Tensor:
    """Decide by a score against a threshold. Can be scripted.

    Accepted is what scores at or under the threshold, and what is blank. Nothing is accepted whose score is not finite,
    and nothing at all while the threshold is not.

    Args:
        image: ``(B, C, *spatial)``.
        score: score of each sample ``(B,)``, higher is more suspicious.
        threshold: scalar; NaN means "not calibrated".

    Returns:
        ``(B,)`` bool: accepted.

    Example:
        >>> image = torch.tensor([[[1.0]], [[1.0]], [[0.0]]])
        >>> accepts(image, torch.tensor([0.5, 2.0, 2.0]), torch.tensor(1.0))
        tensor([ True, False,  True])
    """
    checked = torch.isfinite(score) & torch.isfinite(threshold)
    return checked & (is_blank(image) | (score <= threshold))
