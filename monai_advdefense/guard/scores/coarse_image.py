"""Coarse image: what tells pose, missing parts, a wrong position and another species from the anatomy expected."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

__all__ = ["coarse_image"]


def coarse_image(image: Tensor, mask: Tensor, size: int = 16) -> Tensor:
    """Mean of the image and of the mask in ``size`` x ``size`` cells, ``(B, (C + 1) * size**2)``. Differentiable.

    Args:
        image: ``(B, C, H, W)`` in [0, 1], in the frame of the volume: where the object lies in it counts.
        mask: the object ``(B, 1, H, W)``, bool.
        size: cells along each axis.
    """
    return adaptive_avg_pool2d(torch.cat([image, mask.to(image.dtype)], dim=1), size).flatten(1)
