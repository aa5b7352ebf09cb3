"""Figures of the scores of the predictions: false alarms, verdicts, and what attacks they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from experiments.artefact import Arrays
from experiments.slices import Slices
from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.guard.prediction_typicality import (
    PREDICTION_CAUSES,
    PREDICTION_SCORES,
    PredictionNumbers,
    PredictionTypicality,
    fit_prediction_typicality,
)
from monai_advdefense.guard.scores.neighbour_change import neighbour_area
from monai_advdefense.guard.verdict import VolumeReference, fit_volume_reference, volume_verdict
from monai_advdefense.metrics import dice_from_counts, overlap_counts

# Pixels of the object under which a slice is not judged.
SMALLEST_AREA = 100
FALSE_POSITIVE_RATE = 0.05
# A structure of at least so many pixels and of this Dice is worth erasing; bad is a fall by as much.
ERASED_PIXELS, ERASED_DICE, DROP = 50, 0.7, 0.1

Measured: TypeAlias = tuple[Slices, Arrays]
"""Slices, and the numbers of the predictions on them."""


@dataclass(frozen=True)
class Fitted:
    """A model of clean slices with its threshold, and what clean volumes are."""

    model: PredictionTypicality
    threshold: float
    reference: VolumeReference


def fit(clean: Measured) -> Fitted:
    """Fit on clean volumes; threshold and reference by models that have not seen the subject."""
    slices, numbers = clean[0], prediction_numbers_of(clean[1])
    rows = volume_rows(slices)
    volumes = [numbers[torch.from_numpy(row)] for row in rows]
    subjects = [str(slices.subject[row[0]]) for row in rows]
    judged = [is_judged(volume) for volume in volumes]
    model, scores = fit_prediction_typicality(volumes, judged, subjects)
    kept = [found[flags] for found, flags in zip(scores, judged, strict=True)]
    threshold = threshold_at_false_positive_rate(torch.cat(kept).amax(1), FALSE_POSITIVE_RATE)
    reference = fit_volume_reference(
        kept,
        [found.amax(1) > threshold for found in kept],
        subjects,
        names=PREDICTION_SCORES,
        causes=PREDICTION_CAUSES,
        # What so many subjects can carry.
        rate=max(FALSE_POSITIVE_RATE, 1.01 / (len(set(subjects)) + 1)),
    )
    return Fitted(model, threshold, reference)


def clean_lines(fitted: Fitted, tested: Measured) -> list[str]:
    """False alarms and verdicts of clean volumes of other subjects."""
    numbers, lines, shares, alarms = prediction_numbers_of(tested[1]), [], [], 0
    for row in volume_rows(tested[0]):
        volume = numbers[torch.from_numpy(row)]
        found, judged = fitted.model(volume), is_judged(volume)
        rejected = found.amax(1) > fitted.threshold
        verdict = volume_verdict(found, rejected, judged, names=PREDICTION_SCORES, reference=fitted.reference)
        shares.append(verdict.rejected / max(verdict.judged, 1))
        alarms += verdict.rejected
        counts = f"{verdict.rejected} of {verdict.judged} rejected, {verdict.expected_rejected:.1f} expected"
        lines.append(
            f"{tested[0].subject[row[0]]}: {verdict.verdict} {verdict.cause}, p {verdict.p_value:.2f}, {counts}"
        )
    total = int(is_judged(numbers).sum())
    return [*lines, f"false alarms {alarms / total:.3f}, worst volume {max(shares):.2f}"]


def attack_line(name: str, fitted: Fitted, tested: Measured, rows: Tensor, attacked: Arrays) -> str:
    """What is seen of one attack on single slices, their neighbours clean."""
    numbers = prediction_numbers_of(tested[1])
    clean, beside = torch.full((len(numbers.position),), torch.nan), torch.empty_like(numbers.area)
    for row in map(torch.from_numpy, volume_rows(tested[0])):
        beside[row] = neighbour_area(numbers.area[row])
        clean[row] = fitted.model(numbers[row]).amax(1)
    clean = clean[is_judged(numbers)]
    found = fitted.model(prediction_numbers_of(attacked), beside[rows]).amax(1)
    truth = np.repeat([0, 1], [len(clean), len(found)])
    accepted = found <= fitted.threshold
    parts = [f"{name}: {len(rows)} slices", f"AUC {roc_auc_score(truth, torch.cat([clean, found])):.3f}"]
    parts.append(f"rejected {_share(~accepted)}")
    for what, bad in zip(("bad", "bad for the structure"), damage(tested, rows, attacked), strict=True):
        parts.append(f"{what} {_share(bad)}, accepted and {what} {_share(accepted & bad)}")
    return ", ".join(parts)


def damage(tested: Measured, rows: Tensor, attacked: Arrays) -> tuple[Tensor, Tensor]:
    """Whether the mean Dice of each attacked slice fell, and whether that of the structure to be erased did."""
    label, before = tested[0].label[rows], torch.from_numpy(tested[1]["predicted"])[rows].long()
    classes = attacked["area"].shape[1]
    chosen = erased_structures(label, before, classes)
    after = torch.from_numpy(attacked["predicted"]).long()
    dice = [dice_from_counts(overlap_counts(item, label, classes)) for item in (before, after)]
    mean = [torch.nanmean(item[:, 1:], dim=1).nan_to_num(nan=1.0) for item in dice]
    one = [item.gather(1, chosen[:, None])[:, 0].nan_to_num() for item in dice]
    return mean[0] - mean[1] >= DROP, (chosen > 0) & (one[0] - one[1] >= DROP)


def erased_structures(label: Tensor, predicted: Tensor, num_classes: int) -> Tensor:
    """For each slice a structure that is large enough and well segmented, drawn by chance; 0 where there is none."""
    counts = overlap_counts(predicted, label, num_classes)
    good = (dice_from_counts(counts) >= ERASED_DICE) & (counts[..., 2] >= ERASED_PIXELS)
    good[:, 0] = False
    draw = torch.rand(good.shape, generator=torch.Generator().manual_seed(0))
    return torch.where(good.any(1), (draw * good).argmax(1), 0)


def prediction_numbers_of(arrays: Arrays) -> PredictionNumbers:
    """The numbers of the predictions among the measured arrays."""
    return PredictionNumbers(**{name: torch.from_numpy(v) for name, v in arrays.items() if name != "predicted"})


def is_judged(numbers: PredictionNumbers) -> Tensor:
    """Slices ``(S,)`` that show enough of the object."""
    return numbers.log_area.exp().round() >= SMALLEST_AREA


def volume_rows(slices: Slices) -> list[npt.NDArray[np.integer[Any]]]:
    """Rows of the slices of each volume, in their order."""
    return [np.flatnonzero(slices.volume == number) for number in np.unique(slices.volume)]


def _share(flags: Tensor) -> str:
    return f"{float(flags.float().mean()):.2f}"
