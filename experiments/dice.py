"""Dice of structures, volumes and slices from overlap counts."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from monai_advdefense.metrics import dice_from_counts

_Floats: TypeAlias = npt.NDArray[np.float64]
_Counts: TypeAlias = npt.NDArray[np.integer[Any]]

DROP = 0.1
"""An accepted slice is bad if its Dice lies by more than this under that of the clean slice without guard."""


def structure_dice(counts: _Counts, volume: npt.NDArray[Any], keep: npt.NDArray[Any] | None = None) -> _Floats:
    """Dice ``(V, C - 1)`` of each structure in each volume, its counts ``(N, C, 3)`` summed over its kept slices."""
    keep = np.ones(len(volume), bool) if keep is None else keep
    return _dice(np.stack([counts[(volume == number) & keep].sum(axis=0) for number in np.unique(volume)]))


def volume_dice(counts: _Counts, volume: npt.NDArray[Any], keep: npt.NDArray[Any] | None = None) -> _Floats:
    """Mean Dice ``(V,)`` over the structures of each volume; NaN for a volume of which no slice is kept."""
    return nanmean(structure_dice(counts, volume, keep))


def is_bad(clean: _Counts, attacked: _Counts) -> npt.NDArray[np.bool_]:
    """Whether the Dice of each slice ``(N,)`` lies too far under that of the clean slice without guard.

    From overlap counts ``(N, C, 3)``. The rule is that of :func:`monai_advdefense.metrics.accepted_and_bad`: a slice
    without structures in label and prediction has Dice 1.
    """
    before, after = (np.nan_to_num(nanmean(_dice(counts)), nan=1.0) for counts in (clean, attacked))
    return np.asarray(before - after > DROP)


def nanmean(dice: _Floats) -> _Floats:
    """Mean over the last axis without NaN; NaN where there is nothing else."""
    mean: _Floats = torch.from_numpy(dice).nanmean(dim=-1).numpy()
    return mean


def _dice(counts: _Counts) -> _Floats:
    """Dice of the structures, without the background."""
    dice: _Floats = dice_from_counts(torch.from_numpy(counts))[..., 1:].numpy()
    return dice
