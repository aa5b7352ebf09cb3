"""What a screen says of measured slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from experiments.screen.examined import Examined
from monai_advdefense.guard.prediction_typicality import PredictionNumbers
from monai_advdefense.guard.screen import Screen, Screened
from monai_advdefense.guard.typicality import SliceScores

__all__ = ["exchanged", "judge_alone", "judge_among_clean", "judge_whole", "rejected_by_image"]


@torch.no_grad()
def judge_whole(screen: Screen, volume: Examined) -> Screened:
    """Judge a volume of which all slices were examined."""
    numbers = volume.prediction
    typicality = screen.typicality.score(volume.features, numbers.position)
    return _decided(screen, typicality, screen.prediction(numbers), volume)


@torch.no_grad()
def judge_alone(screen: Screen, part: Examined, native: Sequence[float] | None = None) -> Screened:
    """Judge some slices of a volume that is spoilt as a whole: none is compared with its neighbours.

    Args:
        screen: the judge.
        part: the slices.
        native: voxel size of the scan in mm along the slices' axis, rows and columns; None is that of the grid.
    """
    numbers = part.prediction
    typicality = screen.typicality.score(part.features, numbers.position, native, neighbours=False)
    return _decided(screen, typicality, screen.prediction(numbers, native, numbers.area), part)


def _decided(screen: Screen, typicality: SliceScores, prediction: Tensor, part: Examined) -> Screened:
    # What was not predicted is rejected by its image.
    known = torch.where(part.predicted[:, None], prediction, 0.0)
    return screen.decide(typicality, known, part.prediction, part.blank)


def rejected_by_image(
    screen: Screen, features: dict[str, Tensor], position: Tensor, native: Sequence[float] | None = None
) -> Tensor:
    """Slices ``(S,)`` bool of which the scores of the image alone, without those of neighbours, reject."""
    scores = screen.typicality.score(features, position, native, neighbours=False)
    return scores.judged & (scores.scores.amax(dim=1) > screen.threshold)


def judge_among_clean(screen: Screen, part: Examined, clean: Examined) -> Screened:
    """Judge a clean volume in which some slices were exchanged; the result is of all its slices."""
    return judge_whole(screen, exchanged(clean, part))


def exchanged(clean: Examined, part: Examined) -> Examined:
    """A volume with some of its slices exchanged; they stay where they were."""

    def put(values: Tensor, others: Tensor) -> Tensor:
        return values.index_copy(0, part.index, others.to(values))

    numbers = {name: put(values, getattr(part.prediction, name)) for name, values in vars(clean.prediction).items()}
    return replace(
        clean,
        changed=put(clean.changed, part.changed),
        blank=put(clean.blank, part.blank),
        predicted=put(clean.predicted, part.predicted),
        features={name: put(values, part.features[name]) for name, values in clean.features.items()},
        prediction=PredictionNumbers(**numbers),
        plain=put(clean.plain, part.plain),
        reformed=put(clean.reformed, part.reformed),
    )
