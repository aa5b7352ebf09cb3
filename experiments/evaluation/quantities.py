"""From what was measured on slices to quantities with intervals over subjects."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.artefact import Arrays
from experiments.dice import is_bad, nanmean, structure_dice, volume_dice
from experiments.slices import guard_accepts
from monai_advdefense.metrics import Resampled, SubjectResampling

SCORES = ("spectral", "combined")
"""The scores of the guard; one of them is in use."""

LEAST_LOSS = 0.01
"""Dice that must be lost before a share of it can be won back; below, the share is noise."""


def segmenter_quantities(measured: Arrays, resamples: int) -> list[Resampled]:
    """Mean Dice over all structures, then the Dice of each, over volumes."""
    dice, volumes = structure_dice(measured["plain"], measured["volume"]), _volumes(measured, resamples)
    return [volumes.mean(nanmean(dice)), *(volumes.mean(column) for column in dice.T)]


def guard_quantities(clean: Arrays, threshold: float, resamples: int) -> dict[str, Resampled]:
    """The guard on clean slices: coverage, false positives, and Dice of the accepted slices."""
    accepted, volume = guard_accepts(clean["score"], threshold), clean["volume"]
    slices, volumes = SubjectResampling(clean["subject"], resamples=resamples), _volumes(clean, resamples)
    plain, reformed = (volume_dice(clean[name], volume, accepted) for name in ("plain", "reformed"))
    return {
        "coverage": slices.mean(accepted),
        "false_positive_rate": slices.mean(~accepted),
        "accepted_plain": volumes.mean(plain),
        "accepted_reformed": volumes.mean(reformed),
        "difference": volumes.mean(reformed - plain),
        **{f"all_{name}": volumes.mean(volume_dice(clean[name], volume)) for name in ("plain", "reformed")},
    }


def attack_quantities(clean: Arrays, attacked: Arrays, threshold: float, resamples: int) -> dict[str, Resampled]:
    """One attack, against the clean versions of the same slices in the same order, at the shipped threshold."""
    volume, accepted = clean["volume"], guard_accepts(attacked["score"], threshold)
    slices, volumes = SubjectResampling(clean["subject"], resamples=resamples), _volumes(clean, resamples)
    before, during, behind = (
        volumes.mean(volume_dice(counts, volume))
        for counts in (clean["plain"], attacked["plain"], attacked["reformed"])
    )
    return {
        **detection_quantities(clean, attacked, resamples),
        "tpr_shipped": slices.mean(~accepted),
        "norm": slices.mean(attacked["norm"]),
        "flipped": slices.mean(attacked["flipped"]),
        "dice_clean": before,
        "dice_attacked": during,
        "dice_reformed": behind,
        "recovered": recovered_share(before, during, behind),
        "dice_accepted": volumes.mean(volume_dice(attacked["reformed"], volume, accepted)),
        "coverage": slices.mean(accepted),
        "accepted_and_bad": slices.mean(accepted & is_bad(clean["plain"], attacked["reformed"])),
    }


def detection_quantities(clean: Arrays, attacked: Arrays, resamples: int) -> dict[str, Resampled]:
    """ROC-AUC and true positive rate at a false positive rate of 5 % of both scores of the guard."""
    slices = SubjectResampling(clean["subject"], resamples=resamples)
    found = {}
    for name in SCORES:
        # The combined score of a guard that has no calibration for it is NaN.
        defined = np.isfinite([clean[name], attacked[name]]).all()
        missing = Resampled(np.nan, np.full(resamples, np.nan))
        for quantity, statistic in (("auc", slices.roc_auc), ("tpr_at_5", slices.true_positive_rate)):
            found[f"{quantity}_{name}"] = statistic(clean[name], attacked[name]) if defined else missing
    return found


def recovered_share(clean: Resampled, attacked: Resampled, reformed: Resampled) -> Resampled:
    """Share of the lost Dice that the reformer wins back; NaN where no more than ``LEAST_LOSS`` was lost."""
    lost, won = clean - attacked, reformed - attacked
    share = _share(won.values, lost.values)
    return Resampled(float(_share(np.array(won.estimate), np.array(lost.estimate))), share)


def _share(won: npt.NDArray[Any], lost: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.divide(won, lost, out=np.full(lost.shape, np.nan), where=lost > LEAST_LOSS)


def _volumes(measured: Arrays, resamples: int) -> SubjectResampling:
    """Resampling of the volumes by their subjects."""
    _, first = np.unique(measured["volume"], return_index=True)
    return SubjectResampling(measured["subject"][first], resamples=resamples)
