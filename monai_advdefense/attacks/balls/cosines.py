"""Smooth images from few numbers: weighted sums of the slowest cosines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["cosine_rows", "from_cosines"]


def cosine_rows(orders: int, length: int, like: Tensor) -> Tensor:
    """The slowest cosines of an axis, orthonormal: the first rows ``(orders, length)`` of the DCT-II.

    Example:
        >>> rows = cosine_rows(3, 8, torch.zeros(1))
        >>> torch.allclose(rows @ rows.T, torch.eye(3), atol=1e-6)
        True
    """
    places = (torch.arange(length, dtype=torch.float64) + 0.5) / length
    rows = torch.cos(math.pi * torch.arange(orders, dtype=torch.float64)[:, None] * places)
    rows /= torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows.to(like)


def from_cosines(weights: Tensor, spatial: Sequence[int]) -> Tensor:
    """Sum the cosines ``(B, C, *spatial)`` with weights ``(B, C, *orders)``, one order for each spatial axis.

    Example:
        >>> from_cosines(torch.ones(1, 1, 1), [4])
        tensor([[[0.5000, 0.5000, 0.5000, 0.5000]]])
    """
    image = weights
    for axis, length in enumerate(spatial, start=2):
        rows = cosine_rows(weights.shape[axis], length, weights)
        image = (image.movedim(axis, -1) @ rows).movedim(-1, axis)
    return image
