"""PredictionTypicality: how far the predictions of each slice of a volume lie from those of clean slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.calibration import quantiles
from monai_advdefense.guard.divergence import structure_divergence
from monai_advdefense.guard.scores.neighbour_change import NeighbourChange, neighbour_area
from monai_advdefense.guard.scores.plausibility import Plausibility
from monai_advdefense.guard.scores.structure_divergence import StructureDivergence
from monai_advdefense.guard.scores.structure_entropy import structure_entropy
from monai_advdefense.guard.scores.structure_shape import structure_shape
from monai_advdefense.messages import broken_rule
from monai_advdefense.networks.window import Window

__all__ = [
    "PREDICTION_CAUSES",
    "PREDICTION_SCORES",
    "PredictionNumbers",
    "PredictionTypicality",
    "fit_prediction_typicality",
    "prediction_numbers",
]

PREDICTION_SCORES = ("divergence", "plausibility", "neighbours")
"""Names of the scores, in the order of their columns."""

PREDICTION_CAUSES = ("fine_pattern", "implausible", "implausible")
"""What each of them speaks of, of :data:`monai_advdefense.guard.causes.CAUSES`."""

FOLDS = 5
# Share of clean slices up to which each score stays under 1. Plausibility and neighbours have long tails, and took half
# of all false alarms at equal shares; the divergence has a short one, and alone sees faint attacks.
TAILS = (0.95, 0.99, 0.998)


@dataclass(frozen=True)
class PredictionNumbers:
    """What is kept of the predictions on slices; few numbers each, so that a volume needs no stored logits.

    Attributes:
        divergence: ``(S, C)``, see :func:`~monai_advdefense.guard.divergence.structure_divergence`.
        entropy: ``(S, C)``, see :func:`~monai_advdefense.guard.scores.structure_entropy.structure_entropy`.
        count: ``(S, C)``, number of pixels of each class that both are means of.
        area: ``(S, C)``, see :func:`~monai_advdefense.guard.scores.structure_shape.structure_shape`.
        centroid: ``(S, C, D)``, of the same function.
        position: place of each slice in the object's extent along the slice axis ``(S,)`` in [0, 1].
        log_area: natural logarithm of the object's area in the slice ``(S,)``.
    """

    divergence: Tensor
    entropy: Tensor
    count: Tensor
    area: Tensor
    centroid: Tensor
    position: Tensor
    log_area: Tensor

    def __getitem__(self, rows: Tensor | slice) -> PredictionNumbers:
        """Some of the slices."""
        return PredictionNumbers(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @staticmethod
    def joined(parts: Sequence[PredictionNumbers]) -> PredictionNumbers:
        """Batches, or volumes, one after the other."""
        names = [field.name for field in fields(PredictionNumbers)]
        return PredictionNumbers(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def prediction_numbers(
    logits: Tensor,
    reformed_logits: Tensor,
    image: Tensor,
    position: Tensor,
    log_area: Tensor,
    *,
    labels: Tensor | None = None,
    frame: Window | None = None,
) -> PredictionNumbers:
    """Take from the predictions on slices, and on the reformed slices, what :class:`PredictionTypicality` looks at.

    Args:
        logits: of the image ``(B, C, *spatial)``.
        reformed_logits: of the reformed image, the same shape: those that the segmentation is made of.
        image: ``(B, channels, *spatial)`` in [0, 1].
        position: ``(B,)``, see :class:`PredictionNumbers`.
        log_area: ``(B,)``, see there.
        labels: ``(B, *spatial)`` int64, largest of ``reformed_logits``, where they are known; None finds them.
        frame: what of the slices, of which ``labels`` are given, both logits and the image show. Outside of it the
            labels must be 0 and the image faint: nothing is counted there. None shows the whole.
    """
    predicted = reformed_logits.detach().max(dim=1).indices if labels is None else labels
    shown = predicted if frame is None else frame.of(predicted)
    divergence, count = structure_divergence(logits, reformed_logits, image, labels=shown)
    entropy, _ = structure_entropy(reformed_logits, image, labels=shown)
    area, centroid = structure_shape(reformed_logits, predicted)
    return PredictionNumbers(divergence, entropy, count, area, centroid, position, log_area)


class PredictionTypicality(nn.Module):
    """Divergence, plausibility and change from the neighbours of each slice of a volume, on one scale.

    Each score is 1 where a fixed share of clean slices of new subjects lies above (:data:`TAILS`), so that the largest
    can be taken. All numbers are buffers; they are NaN, and so are the scores, until :func:`fit_prediction_typicality`.

    Args:
        num_classes: number of classes of the segmenter, background included.
        spatial_dims: number of spatial axes of a slice.

    Raises:
        InputError: there are fewer than 2 classes.
    """

    def __init__(self, num_classes: int, spatial_dims: int = 2) -> None:
        super().__init__()
        if num_classes < 2:
            raise broken_rule("num_classes", "2 or more, background included", num_classes, "give one channel a class")
        self.divergence = StructureDivergence(num_classes)
        self.plausibility = Plausibility(num_classes, spatial_dims)
        self.neighbours = NeighbourChange(num_classes)
        self.tail = nn.Buffer(torch.full((len(PREDICTION_SCORES),), float("nan")))

    def forward(self, numbers: PredictionNumbers, neighbours: Tensor | None = None) -> Tensor:
        """Return the scores ``(S, 3)``, in the order of :data:`PREDICTION_SCORES`; higher is more suspicious.

        Differentiable by the numbers.

        Args:
            numbers: of all slices of a volume in their order.
            neighbours: ``(S, C)``, mean area in the slices beside; None takes it from ``numbers``. Give it to score
                some slices of a volume, or one that an attacker changes among clean ones.
        """
        return self.raw(numbers, neighbours) / self.tail

    def raw(self, numbers: PredictionNumbers, neighbours: Tensor | None = None) -> Tensor:
        """The scores ``(S, 3)`` as standardized by position."""
        n = numbers
        beside = _beside(n.area) if neighbours is None else neighbours
        scores = [
            self.divergence(n.divergence, n.count, n.position, n.log_area),
            self.plausibility(n.area, n.centroid, n.position),
            self.neighbours(n.area, beside, n.position),
        ]
        return torch.stack(scores, dim=1)

    def fit(self, volumes: Sequence[PredictionNumbers], judged: Sequence[Tensor], subjects: Sequence[str]) -> None:
        """Fit all but the scale on clean volumes; arguments as of :func:`fit_prediction_typicality`."""
        n = PredictionNumbers.joined([volume[rows] for volume, rows in zip(volumes, judged, strict=True)])
        beside = torch.cat([_beside(v.area)[rows] for v, rows in zip(volumes, judged, strict=True)])
        names = sorted(set(subjects))
        rows = torch.stack([flags.sum() for flags in judged])
        subject = torch.tensor([names.index(name) for name in subjects]).repeat_interleave(rows.cpu())
        self.divergence.fit(n.divergence, n.count, n.position, n.log_area)
        self.plausibility.fit(n.area, n.centroid, n.position, subject)
        self.neighbours.fit(n.area, beside, n.position)


def fit_prediction_typicality(
    volumes: Sequence[PredictionNumbers], judged: Sequence[Tensor], subjects: Sequence[str]
) -> tuple[PredictionTypicality, list[Tensor]]:
    """Fit on clean volumes.

    Args:
        volumes: numbers of each volume, all slices in their order.
        judged: ``(S,)`` bool of each volume, true where a slice shows enough of the object.
        subjects: whose each volume is.

    Returns:
        The model, and the scores ``(S, 3)`` of each volume by a model that has not seen its subject: what thresholds
        and verdicts are to be fitted on.

    Raises:
        InputError: the arguments do not fit each other.
        CalibrationError: there are fewer than 5 subjects, or too few slices.
    """
    names = sorted(set(subjects))
    if not len(volumes) == len(judged) == len(subjects):
        found = f"{len(volumes)}, {len(judged)} and {len(subjects)}"
        raise broken_rule("volumes, judged, subjects", "one of each for each volume", found, "give the same volumes")
    if len(names) < FOLDS:
        remedy = "add clean volumes of other subjects"
        raise broken_rule("subjects", f"at least {FOLDS}", len(names), remedy, error=CalibrationError)
    model = _fitted(volumes, judged, subjects)
    fold = [names.index(name) % FOLDS for name in subjects]
    scores = [torch.empty(0)] * len(volumes)
    for number in range(FOLDS):
        kept = [i for i in range(len(volumes)) if fold[i] != number]
        unseen = _fitted([volumes[i] for i in kept], [judged[i] for i in kept], [subjects[i] for i in kept])
        with torch.no_grad():
            scores = [unseen.raw(volumes[i]) if fold[i] == number else found for i, found in enumerate(scores)]
    clean = torch.cat([found[rows] for found, rows in zip(scores, judged, strict=True)])
    model.tail.copy_(quantiles(clean, TAILS).clamp_min(1.0))
    return model, [found / model.tail for found in scores]


def _beside(area: Tensor) -> Tensor:
    """Mean area of each structure in the slices beside ``(S, C)``; a slice alone is its own neighbour."""
    return area if len(area) == 1 else neighbour_area(area)


def _fitted(
    volumes: Sequence[PredictionNumbers], judged: Sequence[Tensor], subjects: Sequence[str]
) -> PredictionTypicality:
    classes, axes = volumes[0].centroid.shape[1:]
    model = PredictionTypicality(classes, axes)
    model.fit(volumes, judged, subjects)
    return model
