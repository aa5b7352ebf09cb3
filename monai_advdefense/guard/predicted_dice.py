"""Predicted Dice of each structure and of a volume, with intervals that hold for new subjects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from torch import Tensor

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.calibration import minimum_scores
from monai_advdefense.messages import broken_rule

__all__ = ["DicePredictor", "PredictedDice", "dice_features", "fit_dice_predictor"]

_Floats = npt.NDArray[np.float64]

# Penalty of the regression's slopes and of what tells structures apart, in numbers of observations.
RIDGE = 1.0
# Dice is kept this far from 0 and 1, where its logit has no value.
MARGIN = 0.01
# Smallest divergence and entropy that are told apart from 0.
SMALLEST = (1e-7, 1e-4)


@dataclass(frozen=True)
class PredictedDice:
    """Dice of a volume as predicted, each with its interval.

    Attributes:
        structures: ``(C - 1, 3)``, predicted Dice of each structure and the ends of its interval; a structure that was
            not predicted at all has NaN, 0 and 1.
        volume: mean of the predicted structures, and the ends of its interval.
    """

    structures: _Floats
    volume: tuple[float, float, float]


@dataclass(frozen=True)
class DicePredictor:
    """Regression of the logit of the Dice on what can be seen without labels, as :func:`fit_dice_predictor` finds it.

    Attributes:
        center: ``(F,)``, mean of each feature.
        scale: ``(F,)``, standard deviation of each feature.
        intercept: ``(C - 1,)``, one for each structure.
        slope: ``(F,)``, common to all structures.
        structure_error: ends of the interval of a structure's logit, less the predicted one.
        volume_error: the same of the mean Dice of a volume.
    """

    center: _Floats
    scale: _Floats
    intercept: _Floats
    slope: _Floats
    structure_error: tuple[float, float] = (-math.inf, math.inf)
    volume_error: tuple[float, float] = (-math.inf, math.inf)

    def predict(self, features: npt.ArrayLike) -> PredictedDice:
        """Predict a volume from its :func:`dice_features` ``(C - 1, F)``."""
        center = self.logits(np.asarray(features, dtype=np.float64))
        unknown = zip(self.structure_error, (0.0, 1.0), strict=True)
        ends = [np.where(np.isnan(center), value, expit(center + error)) for error, value in unknown]
        dice = expit(center)
        if np.isnan(dice).all():
            return PredictedDice(np.stack([dice, *ends], axis=-1), (math.nan, 0.0, 1.0))
        mean = float(np.nanmean(dice))
        low, high = (float(expit(_logit(np.array(mean)) + end)) for end in self.volume_error)
        return PredictedDice(np.stack([dice, *ends], axis=-1), (mean, min(low, mean), max(high, mean)))

    def logits(self, features: _Floats) -> _Floats:
        """Predicted logits ``(..., C - 1)`` of features ``(..., C - 1, F)``; NaN where a feature is."""
        found: _Floats = self.intercept + (features - self.center) / self.scale @ self.slope
        return found


def dice_features(divergence: Tensor, entropy: Tensor, deviation: Tensor, count: Tensor) -> _Floats:
    """What tells how good the segmentation of a volume is, for each structure ``(C - 1, 5)``.

    Logarithms of the mean divergence and of the mean entropy over the structure's pixels, its mean deviation from
    plausible areas and places, and the means of the first two over all structures. NaN for a structure that is not
    predicted in any slice.

    Args:
        divergence: ``(S, C)``, see :func:`~monai_advdefense.guard.divergence.structure_divergence`.
        entropy: ``(S, C)``, see :func:`~monai_advdefense.guard.scores.structure_entropy.structure_entropy`.
        deviation: ``(S, C - 1)``, see :meth:`~monai_advdefense.guard.scores.plausibility.Plausibility.deviations`.
        count: number of pixels ``(S, C)``.
    """
    number, differs, unsure = (item.detach().double().cpu().numpy()[:, 1:] for item in (count, divergence, entropy))
    total = number.sum(axis=0)
    weight = number / np.where(total > 0, total, np.nan)
    means = [np.log((weight * item).sum(axis=0) + s) for item, s in zip((differs, unsure), SMALLEST, strict=True)]
    off = (weight * np.log1p(deviation.detach().double().cpu().numpy())).sum(axis=0)
    shown = total > 0
    common = [np.where(shown, item[shown].mean() if shown.any() else np.nan, np.nan) for item in means]
    return np.stack([*means, off, *common], axis=-1)


def fit_dice_predictor(
    features: npt.ArrayLike, dice: npt.ArrayLike, subjects: Sequence[str], *, coverage: float = 0.9
) -> DicePredictor:
    """Fit on labelled volumes, clean and spoilt ones, of several subjects.

    Every subject counts the same, however many of its volumes there are. The intervals are conformal over subjects:
    their ends are quantiles of what was missed on subjects that were left out, one subject at a time.

    Args:
        features: ``(V, C - 1, F)``, :func:`dice_features` of each volume.
        dice: ``(V, C - 1)`` true Dice in [0, 1]; NaN where neither the label nor the prediction has the structure.
        subjects: whose each volume is.
        coverage: share of new structures, and of new volumes, that the intervals shall hold.

    Raises:
        InputError: the shapes do not fit each other, or a Dice is not in [0, 1].
        CalibrationError: there are fewer subjects of which a Dice is known than ``coverage`` needs.

    Source:
        Split conformal prediction over groups: Dunn, Wasserman, Ramdas, "Distribution-Free Prediction Sets for
        Two-Layer Hierarchical Models" (2022), here with one subject left out at a time.
    """
    table, truth, groups = _checked(features, dice, subjects, coverage)
    predictor = _regression(table, truth, groups)
    missed, whole = [], []
    for subject in np.unique(groups):
        out = groups == subject
        predicted = _regression(table[~out], truth[~out], groups[~out]).logits(table[out])
        error = _logit(truth[out]) - predicted
        known = np.isfinite(error)
        if known.any():
            missed.append(error[known])
            whole.append(_volume_errors(truth[out], predicted, known))
    return DicePredictor(
        predictor.center,
        predictor.scale,
        predictor.intercept,
        predictor.slope,
        _interval(missed, coverage),
        _interval(whole, coverage),
    )


def _volume_errors(dice: _Floats, logits: _Floats, known: npt.NDArray[np.bool_]) -> _Floats:
    """Logit of the mean Dice of each volume, less that of the predicted mean."""
    rows = known.any(axis=1)
    true, predicted = (np.where(known, item, np.nan)[rows] for item in (dice, expit(logits)))
    return _logit(np.nanmean(true, axis=1)) - _logit(np.nanmean(predicted, axis=1))


def _regression(features: _Floats, dice: _Floats, groups: npt.NDArray[np.str_]) -> DicePredictor:
    """Ridge regression of the logits, each subject with the same weight."""
    known = np.isfinite(features).all(axis=-1) & np.isfinite(dice)
    volume, structure = np.nonzero(known)
    rows, target = features[known], _logit(dice[known])
    center, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    _, inverse, number = np.unique(groups[volume], return_inverse=True, return_counts=True)
    weight = len(rows) / len(number) / number[inverse]
    middle = np.average(target, weights=weight)
    design = np.concatenate([np.eye(dice.shape[1])[structure], (rows - center) / scale], axis=1)
    gram = (design * weight[:, None]).T @ design + RIDGE * np.eye(design.shape[1])
    found = np.linalg.solve(gram, (design * weight[:, None]).T @ (target - middle))
    return DicePredictor(center, scale, middle + found[: dice.shape[1]], found[dice.shape[1] :])


def _interval(errors: Sequence[_Floats], coverage: float) -> tuple[float, float]:
    """Ends between which a new subject's errors lie; each subject weighs the same.

    The quantiles of the errors, which need not be symmetric, moved outwards by what a conformal interval asks for.
    """
    values = np.concatenate(errors)
    weight = np.concatenate([np.full(len(item), 1 / len(item)) for item in errors]) / len(errors)
    low, high = (_quantile(values, weight, level) for level in ((1 - coverage) / 2, (1 + coverage) / 2))
    # A new subject may lie beyond all others: it has the weight of one.
    beyond = _quantile(np.maximum(low - values, values - high), weight * len(errors) / (len(errors) + 1), coverage)
    return min(low - beyond, 0.0), max(high + beyond, 0.0)


def _quantile(values: _Floats, weight: _Floats, level: float) -> float:
    """Smallest value up to which the weights sum to ``level``."""
    order = np.argsort(values)
    # Rounding of the sum must not ask for one value more.
    place = int(np.searchsorted(np.cumsum(weight[order]), level - 1e-9))
    return float(values[order][place]) if place < len(values) else math.inf


def _checked(
    features: npt.ArrayLike, dice: npt.ArrayLike, subjects: Sequence[str], coverage: float
) -> tuple[_Floats, _Floats, npt.NDArray[np.str_]]:
    table, truth = np.asarray(features, dtype=np.float64), np.asarray(dice, dtype=np.float64)
    if table.ndim != 3 or table.shape[:2] != truth.shape or len(subjects) != len(truth):
        rule, found = "(V, C - 1, F), (V, C - 1) and V names", f"{table.shape}, {truth.shape} and {len(subjects)}"
        raise broken_rule("features, dice, subjects", rule, found, "give one row for each volume")
    if ((truth < 0) | (truth > 1)).any():
        raise broken_rule("dice", "numbers in [0, 1] or NaN", "others", "give Dice, not per cent")
    known = np.any(np.isfinite(table).all(axis=-1) & np.isfinite(truth), axis=1)
    needed = minimum_scores(round(1 - coverage, 9))
    usable = len({subject for subject, one in zip(subjects, known.tolist(), strict=True) if one})
    if usable < needed:
        rule = f"at least {needed} for intervals that hold {coverage:.0%}"
        remedy = "add subjects or ask for a lower coverage"
        raise broken_rule("subjects", rule, usable, remedy, error=CalibrationError)
    return table, truth, np.asarray(subjects)


def _logit(dice: _Floats) -> _Floats:
    found: _Floats = logit(np.clip(dice, MARGIN, 1 - MARGIN))
    return found
