"""Histogram of the object: quantiles, soft histogram and moments of its gray values."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["histogram"]

BINS = 16
QUANTILES = (0.02, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.98)


def histogram(image: Tensor, mask: Tensor) -> Tensor:
    """Quantiles, moments and square roots of the shares in 16 bins of the gray values of the object.

    Every second pixel along both axes is enough for them. A pixel between the centers of two bins counts for both.

    Args:
        image: ``(B, C, H, W)`` in [0, 1].
        mask: the object ``(B, 1, H, W)``, bool.

    Returns:
        ``(B, C * 29)``: quantiles, mean, standard deviation, skewness and kurtosis, shares. Differentiable.
    """
    value = image[..., ::2, ::2].flatten(2)
    inside = mask[..., ::2, ::2].flatten(2).expand_as(value)
    count = inside.sum(dim=2, keepdim=True)
    ordered = value.masked_fill(~inside, torch.inf).sort(dim=2).values
    places = (torch.tensor(QUANTILES, device=value.device) * (count - 1).clamp_min(0)).round().long()
    quantiles = ordered.gather(2, places)
    quantiles = torch.where(torch.isfinite(quantiles), quantiles, 0.0)
    return torch.cat([quantiles, _moments(value, inside, count), _shares(value, inside, count)], dim=2).flatten(1)


def _moments(value: Tensor, inside: Tensor, count: Tensor) -> Tensor:
    weight = inside / count.clamp_min(1)
    mean = (weight * value).sum(dim=2, keepdim=True)
    centered = value - mean
    square = centered * centered
    deviation = ((weight * square).sum(dim=2, keepdim=True) + 1e-6).sqrt()
    third = (weight * square * centered).sum(dim=2, keepdim=True) / deviation**3
    fourth = (weight * square * square).sum(dim=2, keepdim=True) / deviation**4
    return torch.cat([mean, deviation.log(), third, fourth], dim=2)


def _shares(value: Tensor, inside: Tensor, count: Tensor) -> Tensor:
    scaled = value.clamp(0, 1) * (BINS - 1)
    # A pixel that is not a number makes the moments so; here it needs a place.
    low = scaled.detach().nan_to_num().floor().clamp_max(BINS - 2)
    upper = (scaled - low) * inside
    shares = value.new_zeros(*value.shape[:2], BINS)
    shares = shares.scatter_add(2, low.long(), inside.to(value.dtype) - upper).scatter_add(2, low.long() + 1, upper)
    return (shares / count.clamp_min(1) + 1e-4).sqrt()
