"""Bias field: a cubic polynomial fitted to the logarithm of the bright tissue."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

__all__ = ["bias_field"]

POOL = 4
DEGREE = 3


def bias_field(image: Tensor, mask: Tensor) -> Tensor:
    """Coefficients of a cubic polynomial of log intensity over the bright half of the object, and what it leaves.

    Position is measured from the center of the object in units of its standard deviation along each axis.

    Args:
        image: ``(B, C, H, W)`` in [0, 1].
        mask: the object ``(B, 1, H, W)``, bool.

    Returns:
        ``(B, C * 11)``: 10 coefficients, and the logarithm of the standard deviation of the residual. Differentiable.
    """
    inside = mask.to(image.dtype)
    share = avg_pool2d(inside, POOL, ceil_mode=True)
    value = avg_pool2d(image * inside, POOL, ceil_mode=True) / share.clamp_min(1e-3)
    solid = (share > 0.9).to(image.dtype)
    mean = (value * solid).sum(dim=(2, 3), keepdim=True) / solid.sum(dim=(2, 3), keepdim=True).clamp_min(1)
    weight = (solid * torch.sigmoid((value / mean.clamp_min(1e-3) - 1.1) / 0.05)).flatten(2)
    terms = _polynomial(share)
    target = value.clamp_min(1e-2).log().flatten(2)
    total = weight.sum(dim=2).clamp_min(1)
    gram = torch.einsum("bcn,bnp,bnq->bcpq", weight, terms, terms) / total[..., None, None]
    moment = torch.einsum("bcn,bnp->bcp", weight * target, terms) / total[..., None]
    coefficients = torch.linalg.solve(gram + 1e-2 * torch.eye(gram.shape[-1]).to(gram), moment)
    residual = target - torch.einsum("bcp,bnp->bcn", coefficients, terms)
    spread = ((weight * residual * residual).sum(dim=2) / total + 1e-6).log() / 2
    return torch.cat([coefficients, spread[..., None]], dim=2).flatten(1)


def _polynomial(share: Tensor) -> Tensor:
    """All products of powers up to degree 3 of the centered coordinates, ``(B, N, 10)``."""
    height, width = share.shape[2:]
    weight = share[:, 0] / share[:, 0].sum(dim=(1, 2), keepdim=True).clamp_min(1e-3)
    axes = []
    for line in (torch.arange(height).to(share)[:, None], torch.arange(width).to(share)[None]):
        centered = line - (weight * line).sum(dim=(1, 2), keepdim=True)
        axes.append(centered / (weight * centered**2).sum(dim=(1, 2), keepdim=True).clamp_min(1).sqrt())
    y, x = (axis.expand(len(share), height, width).flatten(1) for axis in axes)
    powers = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    return torch.stack([y**i * x**j for i, j in powers], dim=2)
