"""From what was measured on slices to figures with intervals over subjects."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from experiments.measurement import Arrays
from monai_advdefense.metrics import (
    Interval,
    accepted_and_bad,
    bootstrap_over_subjects,
    detection_metrics,
    dice_from_counts,
)

__all__ = [
    "SCORES",
    "attack_figures",
    "detection_figures",
    "guard_figures",
    "interval",
    "recovered_share",
    "segmenter_figures",
    "volume_dice",
]

_Floats = npt.NDArray[np.float64]

SCORES = ("spectral", "combined")
"""The scores of the guard; one of them is in use."""

LEAST_LOSS = 0.01
"""Dice that must be lost before a share of it can be won back; below, the share is noise."""


def interval(
    statistic: Callable[..., float], subjects: npt.ArrayLike, *arrays: npt.ArrayLike, resamples: int
) -> Interval:
    """Figure with its interval; without one (NaN) where it is not defined, or there is only one subject."""
    with warnings.catch_warnings():
        # An empty mean is NaN, and shown as undefined.
        warnings.simplefilter("ignore", RuntimeWarning)
        estimate = float(statistic(*(np.asarray(array) for array in arrays)))
    if not np.isfinite(estimate) or len(np.unique(np.asarray(subjects))) < 2:
        return Interval(estimate, float("nan"), float("nan"))
    return bootstrap_over_subjects(statistic, subjects, *arrays, resamples=resamples)


def structure_dice(counts: npt.NDArray[Any], volume: npt.NDArray[Any], keep: npt.NDArray[Any] | None = None) -> _Floats:
    """Dice ``(V, C - 1)`` of each structure in each volume, its counts ``(N, C, 3)`` summed over its kept slices."""
    keep = np.ones(len(volume), bool) if keep is None else keep
    pooled = [counts[(volume == number) & keep].sum(axis=0) for number in np.unique(volume)]
    dice: _Floats = dice_from_counts(torch.from_numpy(np.stack(pooled)))[:, 1:].numpy()
    return dice


def volume_dice(counts: npt.NDArray[Any], volume: npt.NDArray[Any], keep: npt.NDArray[Any] | None = None) -> _Floats:
    """Mean Dice ``(V,)`` over the structures of each volume; NaN for a volume of which no slice is kept.

    Args:
        counts: overlap counts ``(N, C, 3)`` of slices.
        volume: number of each slice's volume ``(N,)``.
        keep: which slices count ``(N,)``, all by default.
    """
    return _nanmean(structure_dice(counts, volume, keep))


def recovered_share(clean: _Floats, attacked: _Floats, reformed: _Floats) -> float:
    """Share of the lost Dice that the reformer wins back; NaN if no more than ``LEAST_LOSS`` was lost.

    Args:
        clean: Dice of volumes before the attack.
        attacked: Dice of the same volumes under attack.
        reformed: Dice under attack, behind the reformer.

    Example:
        >>> round(recovered_share(np.array([0.8]), np.array([0.4]), np.array([0.7])), 3)
        0.75
    """
    loss = float(np.mean(clean) - np.mean(attacked))
    return float(np.mean(reformed) - np.mean(attacked)) / loss if loss > LEAST_LOSS else float("nan")


def segmenter_figures(measured: Arrays, resamples: int) -> tuple[Interval, list[Interval]]:
    """Mean Dice over all structures, and the Dice of each, over volumes."""
    dice = structure_dice(measured["plain"], measured["volume"])
    subjects = _volume_subjects(measured)
    mean = interval(np.nanmean, subjects, _nanmean(dice), resamples=resamples)
    return mean, [interval(np.nanmean, subjects, column, resamples=resamples) for column in dice.T]


def guard_figures(clean: Arrays, threshold: float, resamples: int) -> dict[str, Interval]:
    """Figures of the guard on clean slices: coverage, false positives, and Dice of the accepted slices."""
    accepted = clean["score"] <= threshold
    volume, subjects = clean["volume"], _volume_subjects(clean)
    plain, reformed = (volume_dice(clean[name], volume, accepted) for name in ("plain", "reformed"))
    every = {f"all_{name}": volume_dice(clean[name], volume) for name in ("plain", "reformed")}
    dice = {"accepted_plain": plain, "accepted_reformed": reformed, "difference": reformed - plain, **every}
    return {
        "coverage": interval(np.mean, clean["subject"], accepted, resamples=resamples),
        "false_positive_rate": interval(np.mean, clean["subject"], ~accepted, resamples=resamples),
        **{name: interval(np.nanmean, subjects, values, resamples=resamples) for name, values in dice.items()},
    }


def attack_figures(clean: Arrays, attacked: Arrays, threshold: float, resamples: int) -> dict[str, Interval]:
    """Figures of one attack, against the clean versions of the same slices.

    Args:
        clean: measured on the clean slices.
        attacked: measured on the attacked slices, in the same order.
        threshold: the shipped threshold.
        resamples: number of bootstrap resamples.
    """
    by_slice, by_volume, volume = clean["subject"], _volume_subjects(clean), clean["volume"]
    accepted = attacked["score"] <= threshold
    slice_dice = [_nanmean(_dice(arrays[name])) for arrays, name in ((clean, "plain"), (attacked, "reformed"))]
    before, during, behind = (
        volume_dice(counts, volume) for counts in (clean["plain"], attacked["plain"], attacked["reformed"])
    )

    def over_slices(statistic: Callable[..., float], *arrays: npt.ArrayLike) -> Interval:
        return interval(statistic, by_slice, *arrays, resamples=resamples)

    def over_volumes(statistic: Callable[..., float], *arrays: npt.ArrayLike) -> Interval:
        return interval(statistic, by_volume, *arrays, resamples=resamples)

    return {
        **detection_figures(clean, attacked, resamples),
        "tpr_shipped": over_slices(np.mean, ~accepted),
        "norm": over_slices(np.mean, attacked["norm"]),
        "flipped": over_slices(np.mean, attacked["flipped"]),
        "dice_clean": over_volumes(np.nanmean, before),
        "dice_attacked": over_volumes(np.nanmean, during),
        "dice_reformed": over_volumes(np.nanmean, behind),
        "recovered": over_volumes(recovered_share, before, during, behind),
        "dice_accepted": over_volumes(np.nanmean, volume_dice(attacked["reformed"], volume, accepted)),
        "coverage": over_slices(np.mean, accepted),
        "accepted_and_bad": over_slices(accepted_and_bad, accepted, *slice_dice),
    }


def detection_figures(clean: Arrays, attacked: Arrays, resamples: int) -> dict[str, Interval]:
    """ROC-AUC and true positive rate at a false positive rate of 5 % of both scores of the guard.

    Args:
        clean: measured on the clean slices.
        attacked: measured on the attacked slices, in the same order.
        resamples: number of bootstrap resamples.
    """
    undefined = Interval(float("nan"), float("nan"), float("nan"))
    figures = {}
    for name in SCORES:
        scores = clean[name], attacked[name]
        # The combined score of a guard that has no calibration for it.
        defined = all(np.isfinite(values).all() for values in scores)
        for figure, statistic in (
            ("auc", lambda a, b: detection_metrics(a, b).roc_auc),
            ("tpr_at_5", lambda a, b: detection_metrics(a, b).true_positive_rate),
        ):
            found = interval(statistic, clean["subject"], *scores, resamples=resamples) if defined else undefined
            figures[f"{figure}_{name}"] = found
    return figures


def _dice(counts: npt.NDArray[Any]) -> _Floats:
    dice: _Floats = dice_from_counts(torch.from_numpy(counts))[:, 1:].numpy()
    return dice


def _nanmean(dice: _Floats) -> _Floats:
    """Mean over the last axis without NaN; NaN where there is nothing else."""
    mean: _Floats = torch.from_numpy(dice).nanmean(dim=-1).numpy()
    return mean


def _volume_subjects(measured: Arrays) -> list[str]:
    """Subject of each volume, in the order of the volumes."""
    _, first = np.unique(measured["volume"], return_index=True)
    return [str(name) for name in measured["subject"][first]]
