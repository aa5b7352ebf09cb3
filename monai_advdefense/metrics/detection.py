"""How well a score tells attacked images from clean ones, and what a guard lets through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.metrics import auc, roc_curve
from torch import Tensor

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.calibration import Scores, finite_scores
from monai_advdefense.messages import broken_rule

__all__ = ["DetectionMetrics", "accepted_and_bad", "coverage", "detection_metrics", "rejection_rate"]

Decisions: TypeAlias = Tensor | npt.NDArray[Any] | list[bool]


@dataclass(frozen=True)
class DetectionMetrics:
    """Figures of one detector against one attack.

    Attributes:
        roc_auc: area under the ROC curve; 0.5 is chance, 1 is perfect.
        true_positive_rate: largest share of attacked images found by any threshold that keeps the asked false positive
            rate on these clean images. It is chosen after the fact, so a calibrated threshold finds fewer or more.
        realized_false_positive_rate: share of the clean images above the given threshold; ``None`` without one.
        realized_true_positive_rate: share of the attacked images above the given threshold; ``None`` without one.
    """

    roc_auc: float
    true_positive_rate: float
    realized_false_positive_rate: float | None = None
    realized_true_positive_rate: float | None = None


def detection_metrics(
    clean_scores: Scores,
    attacked_scores: Scores,
    *,
    false_positive_rate: float = 0.05,
    threshold: float | None = None,
) -> DetectionMetrics:
    """ROC area, true positive rate at a false positive rate, and the rates at a threshold.

    Args:
        clean_scores: scores of clean images ``(N,)``, higher is more suspicious.
        attacked_scores: scores of attacked images ``(M,)``.
        false_positive_rate: for the true positive rate, from 0 to 1.
        threshold: calibrated threshold; an image is rejected if its score lies above it.

    Raises:
        InputError: if there are no scores, a score is not finite, or the rate is not between 0 and 1.
        CalibrationError: if the threshold is not finite.

    Example:
        >>> detection_metrics([1.0, 2.0, 3.0, 4.0], [3.5, 5.0], false_positive_rate=0.0, threshold=3.0)
        DetectionMetrics(roc_auc=0.875, true_positive_rate=0.5, realized_false_positive_rate=0.25, \
realized_true_positive_rate=1.0)
    """
    if not 0 <= false_positive_rate <= 1:
        raise broken_rule("false_positive_rate", "a number from 0 to 1", repr(false_positive_rate), "try 0.05")
    clean = _not_empty(finite_scores(clean_scores, "clean_scores"), "clean_scores")
    attacked = _not_empty(finite_scores(attacked_scores, "attacked_scores"), "attacked_scores")
    truth = np.repeat([0, 1], [clean.size, attacked.size])
    # Dropping points on straight pieces of the curve would drop the point sought where scores are tied.
    false_rates, true_rates, _ = roc_curve(truth, np.concatenate([clean, attacked]), drop_intermediate=False)
    at_rate = float(true_rates[false_rates <= false_positive_rate].max())
    if threshold is None:
        return DetectionMetrics(float(auc(false_rates, true_rates)), at_rate)
    return DetectionMetrics(
        float(auc(false_rates, true_rates)),
        at_rate,
        rejection_rate(clean, threshold),
        rejection_rate(attacked, threshold),
    )


def rejection_rate(scores: Scores, threshold: float) -> float:
    """Share of images whose score lies above a threshold: realized false positive rate if they are clean.

    Args:
        scores: scores ``(N,)``, higher is more suspicious.
        threshold: an image with exactly this score is accepted.

    Raises:
        InputError: if there are no scores or a score is not finite.
        CalibrationError: if the threshold is not finite.
    """
    if not math.isfinite(threshold):
        raise broken_rule(
            "threshold", "a finite number", threshold, "calibrate the detector first", error=CalibrationError
        )
    return float(np.mean(_not_empty(finite_scores(scores), "scores") > threshold))


def coverage(accepted: Decisions) -> float:
    """Share of images that a guard accepts; to be read beside every Dice of accepted images.

    Args:
        accepted: decision for each image ``(N,)``, boolean.

    Raises:
        InputError: if there are no decisions or they are not boolean.
    """
    return float(np.mean(_decisions(accepted)))


def accepted_and_bad(accepted: Decisions, dice_clean: Scores, dice_attacked: Scores, *, drop: float = 0.1) -> float:
    """Share of all images that a guard accepts although the attack lowers their Dice by more than ``drop``.

    NaN is the Dice of an image in which neither label nor prediction has any foreground (see
    :func:`monai_advdefense.metrics.mean_dice`). The prediction is then entirely right, so it counts as 1 here: a
    structure that an attack invents in an empty slice is bad.

    Args:
        accepted: decision for each attacked image ``(N,)``, boolean.
        dice_clean: Dice of the clean image's prediction ``(N,)``, or NaN.
        dice_attacked: Dice of the attacked image's prediction ``(N,)``, or NaN.
        drop: how far the Dice may fall.

    Raises:
        InputError: if there are no images, the lengths differ, decisions are not boolean, or a Dice is not from 0 to 1.

    Example:
        >>> accepted_and_bad([True, True, False, True], [0.9, 0.9, 0.9, 0.9], [0.85, 0.2, 0.1, 0.9])
        0.25
    """
    decisions = _decisions(accepted)
    clean, attacked = _dice(dice_clean, "dice_clean"), _dice(dice_attacked, "dice_attacked")
    if not decisions.shape == clean.shape == attacked.shape:
        raise broken_rule(
            "accepted, dice_clean, dice_attacked",
            "one entry each for every image",
            f"lengths {decisions.size}, {clean.size}, {attacked.size}",
            "give them in the same order and of the same images",
        )
    return float(np.mean(decisions & (clean - attacked > drop)))


def _not_empty(array: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    if array.size == 0:
        raise broken_rule(name, "at least one image", "none", "check the split and the filter for blanks")
    return array


def _decisions(accepted: Decisions) -> npt.NDArray[np.bool_]:
    array = np.asarray(accepted.cpu() if isinstance(accepted, Tensor) else accepted)
    if array.ndim != 1 or (array.size and array.dtype != np.bool_):
        raise broken_rule(
            "accepted",
            "booleans (N,)",
            f"{array.dtype} of shape {array.shape}",
            "compare the scores with the threshold first",
        )
    return _not_empty(array, "accepted")


def _dice(values: Scores, name: str) -> npt.NDArray[np.float64]:
    array = np.asarray(values.detach().double().cpu() if isinstance(values, Tensor) else values, dtype=np.float64)
    finite_scores(np.nan_to_num(array, nan=1.0, posinf=np.inf, neginf=-np.inf), name)
    if ((array < 0) | (array > 1)).any():
        raise broken_rule(name, "Dice from 0 to 1", f"{np.nanmin(array):g} to {np.nanmax(array):g}", "give fractions")
    return np.where(np.isnan(array), 1.0, array)
