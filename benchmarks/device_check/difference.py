"""How far apart the results of two devices are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["difference"]


def difference(one: Any, other: Any) -> float:
    """Largest difference as a share of the largest value; of labels, decisions and words the share that differ.

    What cannot be compared is infinitely far apart, and so is what is NaN or infinite in one of them alone.

    Args:
        one: a tensor, or tensors by name of which the worst counts.
        other: what another device gave.
    """
    if isinstance(one, Mapping):
        if one.keys() != other.keys():
            return math.inf
        return max((difference(value, other[name]) for name, value in one.items()), default=math.inf)
    one, other = torch.as_tensor(one).detach().cpu(), torch.as_tensor(other).detach().cpu()
    if one.shape != other.shape:
        return math.inf
    if one.dtype == other.dtype and not one.is_floating_point():
        return float((one != other).double().mean()) if one.numel() else 0.0
    one, other = one.double(), other.double()
    finite = one.isfinite() & other.isfinite()
    if not torch.allclose(one[~finite], other[~finite], equal_nan=True):
        return math.inf
    one, other = one[finite], other[finite]
    return float((one - other).abs().max() / one.abs().max().clamp_min(1e-6)) if one.numel() else 0.0
