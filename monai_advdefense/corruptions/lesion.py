"""Something bright that was not in any image of the training."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["lesion"]


def lesion(image: Tensor, *, radius: float) -> Tensor:
    """Draw a white ball with a soft edge into ``image`` ``(B, C, *spatial)`` in [0, 1].

    It lies beside the center of all that is not 0, a sixth of the shortest side away, in all channels alike.

    Args:
        image: images; a blank one stays blank.
        radius: in pixels.
    """
    spatial = image.shape[2:]
    grid = torch.meshgrid(
        *(torch.arange(side, dtype=image.dtype, device=image.device) for side in spatial), indexing="ij"
    )
    weight = (image != 0).any(1).to(image)
    squared = torch.zeros_like(weight)
    for axis, place in enumerate(grid):
        middle = (weight * place).flatten(1).sum(1) / weight.flatten(1).sum(1).clamp_min(1)
        middle = middle + (min(spatial) / 6 if axis == len(spatial) - 1 else 0)
        squared += (place - middle.view(-1, *[1] * len(spatial))) ** 2
    ball = torch.sigmoid(radius - squared.sqrt()).unsqueeze(1) * min(1.0, radius) * (weight.unsqueeze(1) > 0)
    return torch.lerp(image, torch.ones_like(image), ball)
