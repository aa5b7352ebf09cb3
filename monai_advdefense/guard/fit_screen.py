"""From clean volumes to a fitted screen: no attack, no training; labels for the predicted Dice alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.calibration import minimum_scores, threshold_over_domains
from monai_advdefense.guard.fit_typicality import FOLDS, FittedTypicality, fit_typicality_numbers
from monai_advdefense.guard.predicted_dice import fit_dice_predictor
from monai_advdefense.guard.prediction_typicality import (
    PredictionNumbers,
    PredictionTypicality,
    fit_prediction_typicality,
)
from monai_advdefense.guard.screen import SCREEN_CAUSES, SCREEN_SCORES, Screen
from monai_advdefense.guard.stored import MOST_SUBJECTS
from monai_advdefense.guard.typicality import SliceScores
from monai_advdefense.guard.verdict import VolumeReference, fit_volume_reference
from monai_advdefense.guard.volume_numbers import VolumeNumbers
from monai_advdefense.messages import broken_rule

__all__ = ["CleanVolume", "check_subjects", "fit_screen", "minimum_subjects"]


@dataclass(frozen=True)
class CleanVolume:
    """What a fit needs of one clean volume.

    Attributes:
        image: numbers of its slices, also with synthetic noise and faults.
        resampled: numbers of the volume as from a scan of another voxel size, with its covariates; None in all volumes
            where scans are judged as they are.
        prediction: numbers of the predictions on its slices.
        resampled_prediction: numbers of the predictions on that copy.
        dice: true Dice of each structure ``(C - 1,)``, NaN where it is neither labelled nor predicted; None without
            a label.
    """

    image: VolumeNumbers
    resampled: VolumeNumbers | None
    prediction: PredictionNumbers
    resampled_prediction: PredictionNumbers | None
    dice: npt.NDArray[np.float64] | None = None

    @property
    def channels(self) -> int:
        """Channels of the image."""
        return self.image.channels

    @property
    def subject(self) -> str:
        """Whose the volume is."""
        return self.image.subject


def fit_screen(
    screen: Screen,
    volumes: Sequence[CleanVolume],
    *,
    false_positive_rate: float = 0.05,
    volume_rate: float | None = None,
) -> dict[str, Any]:
    """Fit a screen; what judges a subject for its thresholds has not seen this subject.

    Args:
        screen: is changed only if all goes well.
        volumes: clean volumes of any organ and contrast, as the screen will see them.
        false_positive_rate: share of clean slices that may be rejected.
        volume_rate: share of clean volumes that may be called other than clean; None is the same as of slices. It is
            this one that needs subjects: 19 for a rate of 0.05.

    Returns:
        What it was fitted on, and what came out, for JSON. Dice is predicted if enough subjects have labels; else
        ``predicted_dice_reason`` says why not, and a prediction from before is taken away, which would not fit.

    Raises:
        InputError: a number is not finite, or the rate is not between 0 and 1.
        CalibrationError: there are fewer subjects than the rate needs, more than 1000, or too few slices.
    """
    # Files may come in any order, and numbers from any device; what is fitted is copied back to that of the screen.
    volumes = [_on_cpu(volume) for volume in sorted(volumes, key=lambda volume: volume.subject)]
    subjects = [volume.subject for volume in volumes]
    volume_rate = false_positive_rate if volume_rate is None else volume_rate
    check_subjects(len(set(subjects)), volume_rate)
    _check_finite(volumes)
    fitted = Screen(screen.num_classes, channels=screen.channels)
    images, predictions = _fits(volumes, channels=screen.channels, rate=false_positive_rate)
    fitted.typicality.load(*(found.model for found in images))
    fitted.prediction.load(*(model for model, _ in predictions))
    scores = [_scores(found.scores, unseen) for found, (_, unseen) in zip(images, predictions, strict=True)]
    # The rate holds on the grid and off it.
    largest = {str(number): torch.cat(part).amax(dim=1) for number, part in enumerate(scores)}
    fitted.threshold.fill_(threshold_over_domains(largest, false_positive_rate))
    every = [table for part in scores for table in part]
    rejected = [table.amax(dim=1) > fitted.threshold for table in every]
    reference = fit_volume_reference(
        every, rejected, len(scores) * subjects, names=SCREEN_SCORES, causes=SCREEN_CAUSES, rate=volume_rate
    )
    fitted.reference.store(reference)
    reason = _fit_dice(fitted, volumes)
    screen.load_state_dict(fitted.state_dict())
    rates = {"false_positive_rate": false_positive_rate, "volume_rate": volume_rate}
    about_dice = {"predicted_dice": not reason, "predicted_dice_reason": reason}
    return rates | _record(screen, subjects, rejected, reference) | about_dice


def _on_cpu(numbers: Any) -> Any:
    """Numbers with all their tensors on the CPU."""
    if isinstance(numbers, Tensor):
        return numbers.cpu()
    if isinstance(numbers, dict):
        return {name: _on_cpu(value) for name, value in numbers.items()}
    if is_dataclass(numbers) and not isinstance(numbers, type):
        return replace(numbers, **{each.name: _on_cpu(getattr(numbers, each.name)) for each in fields(numbers)})
    return numbers


def _fit_dice(screen: Screen, volumes: Sequence[CleanVolume]) -> str:
    """Fit the prediction of Dice on the labelled volumes, or say why not."""
    labelled = [(volume, volume.dice) for volume in volumes if volume.dice is not None]
    if not labelled:
        return "no volume has a label"
    features = np.stack([screen.dice_features(volume.prediction) for volume, _ in labelled])
    dice = np.stack([found for _, found in labelled])
    try:
        screen.dice.store(fit_dice_predictor(features, dice, [volume.subject for volume, _ in labelled]))
    except CalibrationError as error:
        return str(error)
    return ""


def _fits(
    volumes: Sequence[CleanVolume], *, channels: int, rate: float
) -> tuple[list[FittedTypicality], list[tuple[PredictionTypicality, list[Tensor]]]]:
    """Models of images and of predictions, first on the volumes as they are, then on their copies if there are such."""
    subjects = [volume.subject for volume in volumes]
    kinds = [([volume.image for volume in volumes], [volume.prediction for volume in volumes])]
    copies = [volume.resampled for volume in volumes if volume.resampled is not None]
    if copies:
        others = [each.resampled_prediction for each in volumes if each.resampled_prediction is not None]
        kinds.append((copies, others))
    images = [fit_typicality_numbers(part, channels=channels, false_positive_rate=rate) for part, _ in kinds]
    judged = [[scores.judged for scores in image.scores] for image in images]
    parts = zip(kinds, judged, strict=True)
    return images, [fit_prediction_typicality(numbers, flags, subjects) for (_, numbers), flags in parts]


def _scores(image: Sequence[SliceScores], prediction: Sequence[Tensor]) -> list[Tensor]:
    """All scores of the judged slices of each volume."""
    both = zip(image, prediction, strict=True)
    return [torch.cat([found.scores, other], dim=1)[found.judged] for found, other in both]


def minimum_subjects(volume_rate: float) -> int:
    """Smallest number of subjects for a rate of volumes; with fewer than 5 nobody would be judged by what others gave.

    Raises:
        InputError: the rate is not between 0 and 1.

    Example:
        >>> minimum_subjects(0.05), minimum_subjects(0.5)
        (19, 5)
    """
    return max(FOLDS, minimum_scores(volume_rate, name="volume_rate"))


def check_subjects(subjects: int, volume_rate: float) -> None:
    """Refuse a rate that so many subjects cannot carry, and more subjects than a screen can hold.

    Raises:
        InputError: the rate is not between 0 and 1.
        CalibrationError: there are too few or too many subjects; the message says how many are wanted.
    """
    needed = minimum_subjects(volume_rate)
    if subjects > MOST_SUBJECTS:
        rule, remedy = f"those of at most {MOST_SUBJECTS} subjects", "calibrate on fewer of them"
        raise broken_rule("volumes", rule, subjects, remedy, error=CalibrationError)
    if subjects < needed:
        other_rate = f", or ask for a rate of {1 / (subjects + 1):.2g} or more" if subjects >= FOLDS else ""
        rule = f"those of at least {needed} subjects for a rate of {volume_rate:g} of volumes"
        raise broken_rule("volumes", rule, subjects, f"add volumes of others{other_rate}", error=CalibrationError)


def _check_finite(volumes: Sequence[CleanVolume]) -> None:
    for volume in volumes:
        numbers = [each for each in (volume.prediction, volume.resampled_prediction) if each is not None]
        tables = [table for part in numbers for table in (part.divergence, part.area)]
        tables.append(volume.image.clean.features["histogram"])
        if not all(torch.isfinite(table).all() for table in tables):
            remedy = "leave it out, or look for untrained weights"
            raise broken_rule(f"volume of {volume.subject}", "finite predictions", "NaN or infinity", remedy)


def _record(
    screen: Screen, subjects: Sequence[str], rejected: Sequence[Tensor], reference: VolumeReference
) -> dict[str, Any]:
    # First those of the volumes as they are, then those of their copies.
    rejected = rejected[: len(subjects)]
    shares = [float(flags.double().mean()) for flags in rejected]
    return {
        "threshold": float(screen.threshold),
        "subjects": len(set(subjects)),
        "volumes": len(subjects),
        "judged_slices": sum(map(len, rejected)),
        "smallest_area": float(screen.typicality.on_grid.smallest_area),
        "rejected_share": {"mean": sum(shares) / len(shares), "worst_volume": max(shares)},
        "volume_limit": reference.limit,
        "scores": list(SCREEN_SCORES),
    }
