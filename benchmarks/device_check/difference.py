"""How far apart the results of two devices are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["difference"]


def difference(one: Any, other: Any) -> float:
    """Largest difference as a share of the largest value; of labels, decisions and words the share that differ.

    What cannot be compared, and a difference that is no number, is infinite.

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
    if not one.numel():
        return 0.0
    if not one.is_floating_point():
        return float((one != other).double().mean())
    largest = float((one - other).abs().max() / one.abs().max().clamp_min(1e-6))
    # max() over tensors would pass over NaN.
    return math.inf if math.isnan(largest) else largest
