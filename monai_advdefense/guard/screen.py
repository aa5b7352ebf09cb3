"""Screen: what a guard decides about a whole volume, by image and by prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.predicted_dice import PredictedDice, dice_features
from monai_advdefense.guard.prediction_by_resolution import PredictionByResolution
from monai_advdefense.guard.prediction_typicality import PREDICTION_CAUSES, PREDICTION_SCORES, PredictionNumbers
from monai_advdefense.guard.stored import StoredDicePredictor, StoredReference
from monai_advdefense.guard.typicality import SCORES, TYPICALITY_CAUSES, SliceScores
from monai_advdefense.guard.typicality_by_resolution import TypicalityByResolution
from monai_advdefense.guard.verdict import VolumeVerdict, volume_verdict, with_cause
from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import load_weights

__all__ = ["SCREEN_CAUSES", "SCREEN_SCORES", "Screen", "Screened", "load_screen", "suspicion_by_cause"]

SCREEN_SCORES = (*SCORES, *PREDICTION_SCORES)
"""Names of all scores of a slice."""

SCREEN_CAUSES = ("foreign",) * len(SCORES) + PREDICTION_CAUSES
"""What each of them speaks of if no synthetic fault says more."""


@dataclass(frozen=True)
class Screened:
    """What was found in a volume.

    Attributes:
        score: of each slice ``(S,)``, the largest of its scores; 0 for slices that are not judged.
        accepted: ``(S,)`` bool; False is rejected.
        blank: ``(S,)`` bool, see :func:`~monai_advdefense.guard.blank.is_blank`.
        judged: ``(S,)`` bool; the others show too little of the object to be judged, and are segmented.
        scores: ``(S, K)`` for :data:`SCREEN_SCORES`.
        spoke: name of the largest score of each slice; empty where it is accepted.
        causes: likely cause of each slice, of :data:`~monai_advdefense.guard.causes.CAUSES`; empty where accepted.
        verdict: of the volume.
        dice: predicted Dice; None without a predictor.
    """

    score: Tensor
    accepted: Tensor
    blank: Tensor
    judged: Tensor
    scores: Tensor
    spoke: tuple[str, ...]
    causes: tuple[str, ...]
    verdict: VolumeVerdict
    dice: PredictedDice | None = None


class Screen(nn.Module):
    """Judges a volume at once: scores of the image, scores of the predictions, a decision for each slice, a verdict.

    Each score is standardized so that it exceeds 1 on a fixed share of clean slices; the largest one decides.
    Slices that show too little of the object are not judged: they are segmented and never counted. A score that is not
    finite rejects its slice, and the volume is ``not_checked``. A forward hook sees the :class:`Screened` of every
    volume.

    All numbers are buffers of a flat state dict, which :func:`~monai_advdefense.guard.fit_screen.fit_screen` fills from
    clean volumes. Before, every slice is rejected and no volume is checked.

    Args:
        num_classes: number of classes of the segmenter, background included.
        channels: channels of the image.

    Attributes:
        threshold_key: name of the threshold in the state dict.
    """

    threshold_key = "threshold"

    def __init__(self, num_classes: int, *, channels: int = 1) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.channels = channels
        self.typicality = TypicalityByResolution(channels)
        self.prediction = PredictionByResolution(num_classes)
        self.threshold = nn.Buffer(torch.tensor(float("nan")))
        self.reference = StoredReference(SCREEN_SCORES, SCREEN_CAUSES)
        self.dice = StoredDicePredictor(num_classes)

    @torch.no_grad()
    def forward(self, image: Tensor, numbers: PredictionNumbers, native: Sequence[float] | None = None) -> Screened:
        """Judge one volume.

        Args:
            image: its slices in their order ``(S, channels, H, W)``, in [0, 1].
            numbers: what was gathered from their predictions; those of blank slices do not matter.
            native: voxel size of the scan as a share of the grid's, along the slices' axis, rows and columns; None for
                a scan on the grid itself.

        Raises:
            InputError: the image has another number of channels.
        """
        if image.shape[1] != self.channels:
            remedy = "give the image that the screen was fitted for"
            raise broken_rule("image", f"slices of {self.channels} channels", f"{image.shape[1]}", remedy)
        # Products in half precision would lose the faint structure that the scores look at.
        with torch.autocast(image.device.type, enabled=False):
            return self.decide(
                self.typicality(image, native), self.prediction(numbers, native), numbers, is_blank(image)
            )

    def decide(
        self, typicality: SliceScores, prediction: Tensor, numbers: PredictionNumbers, blank: Tensor
    ) -> Screened:
        """Decide about each slice and about the volume, given the scores of image and predictions ``(S, 3)``."""
        judged = typicality.judged & ~blank
        # Comparisons lose what is not a number, products keep it: a prediction that failed is seen in any slice.
        spoilt = (numbers.divergence.sum(dim=1) + numbers.area.sum(dim=1)) * 0
        prediction = torch.where(judged[:, None], prediction, 0.0) + torch.where(blank, 0.0, spoilt)[:, None]
        scores = torch.cat([typicality.scores, prediction], dim=1)
        score = torch.where(torch.isfinite(scores).all(dim=1), scores.amax(dim=1), torch.nan)
        accepted = (score <= self.threshold) | (~judged & torch.isfinite(score + self.threshold))
        by_cause = suspicion_by_cause(typicality, prediction, self.threshold)
        return Screened(
            score,
            accepted,
            blank,
            judged,
            scores,
            _names(SCREEN_SCORES, scores, accepted),
            _names(CAUSES, by_cause, accepted),
            self._verdict(scores, by_cause, ~accepted, judged | ~torch.isfinite(score)),
            self._dice(numbers),
        )

    def _verdict(self, scores: Tensor, by_cause: Tensor, rejected: Tensor, counted: Tensor) -> VolumeVerdict:
        reference = self.reference.reference() if torch.isfinite(self.threshold) else None
        verdict = volume_verdict(scores, rejected, counted, names=SCREEN_SCORES, reference=reference)
        if not verdict.cause:
            return verdict
        tenth = by_cause[counted].topk(math.ceil(int(counted.sum()) / 10), dim=0).values
        return with_cause(verdict, CAUSES[int(tenth.mean(dim=0).argmax())])

    def _dice(self, numbers: PredictionNumbers) -> PredictedDice | None:
        predictor = self.dice.predictor()
        if predictor is None:
            return None
        return predictor.predict(self.dice_features(numbers))

    @torch.no_grad()
    def dice_features(self, numbers: PredictionNumbers) -> npt.NDArray[np.float64]:
        """What the Dice of a volume is predicted from, ``(C - 1, 5)``."""
        deviation = self.prediction.on_grid.plausibility.deviations(numbers.area, numbers.centroid, numbers.position)
        return dice_features(numbers.divergence, numbers.entropy, deviation, numbers.count)


def load_screen(
    path: str | PathLike[str], *, num_classes: int, channels: int = 1, device: str | torch.device = "cpu"
) -> Screen:
    """A fitted screen from its file, in evaluation mode.

    Args:
        path: file that a calibration has written.
        num_classes: number of classes of the segmenter, background included.
        channels: channels of the image.
        device: where it shall judge.

    Raises:
        InputError: the file is missing, or holds another screen.
        CalibrationError: the screen is not calibrated.
    """
    screen = Screen(num_classes, channels=channels)
    load_weights(path, screen, require_calibrated=True)
    return screen.eval().to(device)


def suspicion_by_cause(typicality: SliceScores, prediction: Tensor, threshold: Tensor) -> Tensor:
    """Suspicion of each slice, under its likely cause ``(S, 8)`` for :data:`~monai_advdefense.guard.causes.CAUSES`.

    The largest number of a row is the slice's largest score; it stands under one cause, and less under the others. What
    the image tells comes first, because a spoilt image makes predictions change or implausible as well; what resembles
    no known fault is foreign only if the predictions do not tell more.

    Args:
        typicality: scores of the images.
        prediction: scores of the predictions ``(S, 3)``, 1 on the tail of clean slices as the others.
        threshold: what is above this speaks.
    """
    image_score, image_cause = typicality.by_cause.max(dim=1)
    other_score, other_cause = prediction.max(dim=1)
    largest = torch.maximum(image_score, other_score)
    known = (image_score > threshold) & (image_cause != TYPICALITY_CAUSES.index("foreign"))
    by_image = known | ((other_score <= threshold) & (image_score == largest))
    cause = torch.where(by_image, _places(TYPICALITY_CAUSES, image_cause), _places(PREDICTION_CAUSES, other_cause))
    table = (largest.clamp_max(0.0) - 1.0)[:, None].repeat(1, len(CAUSES))
    return table.scatter(1, cause[:, None], largest[:, None])


def _places(names: tuple[str, ...], index: Tensor) -> Tensor:
    """Places in :data:`~monai_advdefense.guard.causes.CAUSES` of some of the names."""
    return torch.tensor([CAUSES.index(name) for name in names], device=index.device)[index]


def _names(names: tuple[str, ...], values: Tensor, accepted: Tensor) -> tuple[str, ...]:
    """Name of the largest value of each slice that is not accepted; what failed comes first."""
    places = torch.nan_to_num(values, nan=torch.inf).argmax(dim=1).tolist()
    return tuple("" if kept else names[place] for place, kept in zip(places, accepted.tolist(), strict=True))
