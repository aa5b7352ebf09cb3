"""From clean volumes to a fitted model of what is typical: no attack, no label, no training of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.calibration import quantiles, threshold_at_false_positive_rate
from monai_advdefense.guard.scores.mahalanobis import Mahalanobis
from monai_advdefense.guard.scores.slice_features import FEATURES
from monai_advdefense.guard.scores.standardization import Standardization
from monai_advdefense.guard.scores.synthetic_faults import SYNTHETIC_FAULTS
from monai_advdefense.guard.typicality import NOISE_FEATURES, SCORES, SliceScores, Typicality, jumps
from monai_advdefense.guard.volume_numbers import FAULT_EVERY, SliceNumbers, VolumeNumbers, volume_numbers
from monai_advdefense.messages import broken_rule

__all__ = ["FittedTypicality", "fit_typicality", "fit_typicality_numbers"]

FOLDS = 5
# Share of the slices, those with the least of the object, that are not judged.
NOT_JUDGED = 0.03
# Such a slice shows at most this share of what the median slice shows.
LARGEST_NOT_JUDGED = 0.3
# Share of clean slices up to which a score stays under 1. Those that alone see faint attacks, bias fields and slices
# from elsewhere, and whose tails are short, may speak sooner.
TAIL = 0.98
SOONER = {"faint_noise": 0.97, "field": 0.97, "ahead": 0.97, "behind": 0.97}


@dataclass(frozen=True)
class FittedTypicality:
    """A fitted model, and what it says of each volume that it was fitted on.

    Attributes:
        model: fitted on all volumes, with threshold and smallest area.
        scores: of each volume, by a model that has not seen its subject.
        record: what it was fitted on, for JSON.
    """

    model: Typicality
    scores: list[SliceScores]
    record: dict[str, Any]


def fit_typicality(
    volumes: Sequence[Tensor], subjects: Sequence[str], *, false_positive_rate: float = 0.05, seed: int = 0
) -> FittedTypicality:
    """Fit on clean, preprocessed volumes of any organ, contrast and number of channels.

    Args:
        volumes: slices of each volume in their order ``(S, C, H, W)``, in [0, 1].
        subjects: whose each volume is; a model that judges a subject's scans for the threshold has not seen them.
        false_positive_rate: share of clean slices that may be rejected.
        seed: seed of synthetic noise and faults.

    Raises:
        InputError: volumes and subjects do not fit each other, or no slice of a volume shows enough of the object.
        CalibrationError: there are fewer than 5 subjects, or too few slices.
    """
    shapes = sorted({tuple(volume.shape[1:]) for volume in volumes})
    if len(volumes) != len(subjects) or len(shapes) > 1:
        raise broken_rule(
            "volumes, subjects",
            "a subject for each volume, and slices of one shape",
            f"{len(volumes)} volumes, {len(subjects)} subjects and shapes {shapes}",
            "preprocess all volumes alike",
        )
    generator = torch.Generator().manual_seed(seed)
    numbers = [volume_numbers(v, s, generator=generator) for v, s in zip(volumes, subjects, strict=True)]
    channels = shapes[0][0] if shapes else 1
    return fit_typicality_numbers(numbers, channels=channels, false_positive_rate=false_positive_rate)


def fit_typicality_numbers(
    volumes: Sequence[VolumeNumbers], *, channels: int, false_positive_rate: float = 0.05
) -> FittedTypicality:
    """Fit on the numbers of clean volumes; arguments, result and errors as of :func:`fit_typicality`."""
    subjects = sorted({volume.subject for volume in volumes})
    if len(subjects) < FOLDS:
        raise broken_rule(
            "volumes",
            f"those of at least {FOLDS} subjects",
            len(subjects),
            "add clean volumes of others",
            error=CalibrationError,
        )
    smallest = _smallest_area(volumes)
    model = _fitted(volumes, channels, smallest)
    fold_of = {subject: number % FOLDS for number, subject in enumerate(subjects)}
    folds = [_fitted([v for v in volumes if fold_of[v.subject] != fold], channels, smallest) for fold in range(FOLDS)]
    unseen = [folds[fold_of[volume.subject]] for volume in volumes]
    _calibrate(model, volumes, unseen)
    # Scores with long tails must not take all false alarms.
    untailed = torch.cat([result.scores[result.judged] for result in _scores(model, volumes, unseen)])
    tails = [SOONER.get(name, TAIL) for name in SCORES]
    model.tail.copy_(quantiles(untailed, tails).clamp_min(1))
    judged = _scores(model, volumes, unseen)
    largest = torch.cat([result.scores[result.judged].amax(dim=1) for result in judged])
    model.threshold.fill_(threshold_at_false_positive_rate(largest, false_positive_rate))
    record = {
        "subjects": len(subjects),
        "volumes": len(volumes),
        "judged_slices": len(largest),
        "false_positive_rate": false_positive_rate,
        "threshold": float(model.threshold),
        "smallest_area": float(smallest),
        "scores": list(SCORES),
    }
    return FittedTypicality(model, _scores(model, volumes, unseen), record)


def _smallest_area(volumes: Sequence[VolumeNumbers]) -> Tensor:
    """Smallest area of the object in a slice that is judged."""
    areas = torch.cat([volume.clean.clean_area for volume in volumes])
    if not (areas > 0).any():
        raise broken_rule(
            "volumes", "slices that show tissue", "none", "scale images to [0, 1] first", error=CalibrationError
        )
    shown = areas[areas > 0].float()
    # Where all slices are of one size, as in a slab, those of which half is missing must still be judged.
    smallest = torch.minimum(shown.quantile(NOT_JUDGED), LARGEST_NOT_JUDGED * shown.median()).ceil()
    for volume in volumes:
        if not (volume.clean.clean_area >= smallest).any():
            rule = f"a slice that shows at least {int(smallest)} pixels of the object"
            raise broken_rule(f"volume of {volume.subject}", rule, "none", "leave it out")
    return smallest


def _fitted(volumes: Sequence[VolumeNumbers], channels: int, smallest: Tensor) -> Typicality:
    """A model whose scores are not yet standardized by position."""
    model = Typicality(channels, len(volumes[0].covariates))
    model.smallest_area.copy_(smallest)
    judged = [volume.clean.clean_area >= smallest for volume in volumes]
    places = _joined([_places(v, v.clean, j) for v, j in zip(volumes, judged, strict=True)])
    for name, standardization in model.standardizations.items():
        values = [volume.clean.features[name][chosen] for volume, chosen in zip(volumes, judged, strict=True)]
        cast(Standardization, standardization).fit(torch.cat(values), *places)
    clean = [_standardized(model, volume, volume.clean) for volume in volumes]
    kept = {name: torch.cat([z[name][j] for z, j in zip(clean, judged, strict=True)]) for name in FEATURES}
    for name, distance in model.distances.items():
        cast(Mahalanobis, distance).fit(kept[name])
    for name, distance in model.jumps.items():
        cast(Mahalanobis, distance).fit(torch.cat([jumps(z[name], j)[j] for z, j in zip(clean, judged, strict=True)]))
    noisy = _spoilt(model, [(volume, volume.noisy) for volume in volumes], NOISE_FEATURES)
    model.noise.fit(torch.cat([kept[name] for name in NOISE_FEATURES], dim=1), [noisy])
    faulty = [_spoilt(model, [(v, v.faulty[name]) for v in volumes], FEATURES) for name in SYNTHETIC_FAULTS]
    # Ahead and behind.
    faulty += [_spoilt(model, [(v, _elsewhere(v.clean, way)) for v in volumes], FEATURES) for way in (1, -1)]
    model.faults.fit(torch.cat([kept[name] for name in FEATURES], dim=1)[::3], faulty)
    return model


def _elsewhere(clean: SliceNumbers, direction: int) -> SliceNumbers:
    """Every tenth slice replaced by one from a sixteenth to an eighth of the object further on, or back."""
    count = len(clean.position)
    index = torch.arange(0, count, FAULT_EVERY)
    away = torch.where(torch.arange(len(index)) % 2 == 0, count // 8, count // 16) * direction
    source = (index + away).clamp(0, count - 1)
    return SliceNumbers(
        {name: values[source] for name, values in clean.features.items()},
        clean.position[index],
        torch.minimum(clean.clean_area[index], clean.clean_area[source]),
    )


def _spoilt(model: Typicality, parts: Sequence[tuple[VolumeNumbers, SliceNumbers]], names: Sequence[str]) -> Tensor:
    """Standardized numbers of spoilt slices of all volumes, those that were large enough before."""
    features = {name: torch.cat([part.features[name] for _, part in parts]) for name in FEATURES}
    # All volumes at once: a slab has few slices.
    z = model.standardized(features, *_joined([_places(volume, part, slice(None)) for volume, part in parts]))
    large = torch.cat([part.clean_area for _, part in parts]) >= model.smallest_area
    return torch.cat([z[name] for name in names], dim=1)[large]


def _calibrate(model: Typicality, volumes: Sequence[VolumeNumbers], unseen: Sequence[Typicality]) -> None:
    """Standardize the scores by position, on those that models give to subjects that they have not seen."""
    raw, places = [], []
    for volume, part in zip(volumes, unseen, strict=True):
        judged = volume.clean.clean_area >= model.smallest_area
        raw.append(part.raw_scores(_standardized(part, volume, volume.clean), judged)[judged])
        places.append(_places(volume, volume.clean, judged))
    model.calibration.fit(torch.cat(raw), *_joined(places))
    model.tail.fill_(1)


def _scores(model: Typicality, volumes: Sequence[VolumeNumbers], unseen: Sequence[Typicality]) -> list[SliceScores]:
    """Scores of each volume by the model that has not seen its subject, calibrated as ``model`` is."""
    for part in unseen:
        part.calibration.load_state_dict(model.calibration.state_dict())
        part.tail.copy_(model.tail)
        part.threshold.copy_(model.threshold)
    pairs = zip(unseen, volumes, strict=True)
    return [part.score(v.clean.features, v.clean.position, v.covariates) for part, v in pairs]


def _standardized(model: Typicality, volume: VolumeNumbers, part: SliceNumbers) -> dict[str, Tensor]:
    return model.standardized(part.features, *_places(volume, part, slice(None)))


def _places(volume: VolumeNumbers, part: SliceNumbers, chosen: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Position, log area and covariates of the chosen slices."""
    position = part.position[chosen]
    log_area = part.features["area"][chosen].clamp_min(1).log()
    return position, log_area, volume.covariates.expand(len(position), -1)


def _joined(places: Sequence[tuple[Tensor, Tensor, Tensor]]) -> list[Tensor]:
    return [torch.cat(column) for column in zip(*places, strict=True)]
