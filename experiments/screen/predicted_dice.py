"""How well the predicted Dice of clean volumes holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from experiments.screen.examined import Examined
from experiments.tables import Row, quantity_columns
from monai_advdefense.guard.screen import Screened
from monai_advdefense.metrics import SubjectResampling, dice_from_counts

__all__ = ["predicted_dice_columns"]

_Floats = npt.NDArray[np.float64]


def predicted_dice_columns(
    numbers: Sequence[Examined], screened: Sequence[Screened], subjects: Sequence[str], resamples: int
) -> Row:
    """Coverage of the intervals, and the areas under the risk-coverage curve of the structures.

    Args:
        numbers: whole volumes.
        screened: what was said of each; nothing is given if one has no predicted Dice.
        subjects: whose each is.
        resamples: number of bootstrap resamples.
    """
    dice = [found.dice for found in screened]
    if any(found is None for found in dice):
        return {}
    predicted = np.stack([found.structures for found in dice if found is not None])
    volume = np.array([found.volume for found in dice if found is not None])
    true = np.stack([dice_from_counts(item.reformed.sum(dim=0))[1:].numpy() for item in numbers])
    known = np.isfinite(true) & np.isfinite(predicted[..., 0])
    over = SubjectResampling(subjects, resamples=resamples)
    mean = np.array([row[shown].mean() for row, shown in zip(true, known, strict=True)])
    quantities = {
        "dice_coverage": over.mean(np.where(known, _inside(true, predicted), np.nan)),
        "volume_dice_coverage": over.mean(_inside(mean, volume)),
        "dice_error": over.mean(np.where(known, np.abs(predicted[..., 0] - true), np.nan)),
    }
    each = SubjectResampling(np.repeat(subjects, known.sum(axis=1)), resamples=resamples)
    by_dice = each.area_under_risk_coverage(1 - predicted[..., 0][known], 1 - true[known])
    by_entropy = each.area_under_risk_coverage(_entropy(numbers)[known], 1 - true[known])
    quantities |= {"aurc_dice": by_dice, "aurc_entropy": by_entropy, "aurc_gain": by_entropy - by_dice}
    return quantity_columns(quantities, dropped=False)


def _inside(values: _Floats, predicted: _Floats) -> _Floats:
    return ((values >= predicted[..., 1]) & (values <= predicted[..., 2])).astype(float)


def _entropy(numbers: Sequence[Examined]) -> _Floats:
    """Mean entropy over the pixels of each structure ``(V, C - 1)``, NaN where there are none."""
    tables = [item.prediction for item in numbers]
    total = np.stack([(table.entropy * table.count).double().sum(dim=0)[1:].numpy() for table in tables])
    pixels = np.stack([table.count.double().sum(dim=0)[1:].numpy() for table in tables])
    found: _Floats = total / np.where(pixels > 0, pixels, np.nan)
    return found
