"""Conditions whose Dice is known: structures of 10 voxels, of which the prediction shares some."""

from __future__ import annotations

import numpy as np

from monai_advdefense.robustness.condition import Condition
from monai_advdefense.robustness.measurements import Measured


def counts_of(shared):
    """Counts ``(..., 3)`` of shared voxels ``(...)``: Dice is a tenth of them."""
    shared = np.asarray(shared)
    return np.stack([shared, np.full_like(shared, 10), np.full_like(shared, 10)], axis=-1)


def measured(kind, name, shared, *, levels=(0.01, 0.02), change=None, **more):
    """A condition from shared voxels by level, sample and structure."""
    counts = counts_of(shared)
    change = np.zeros(counts.shape[:2]) if change is None else np.asarray(change, dtype=float)
    return Measured(Condition(kind, name, tuple(levels[: len(counts)])), counts, change, **more)
