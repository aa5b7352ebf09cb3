"""Numbers that a screen needs of slices, and how good their segmentation is."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.optimize_for_inference import optimize_for_inference
from monai_advdefense.guard.prediction_typicality import PredictionNumbers, prediction_numbers
from monai_advdefense.guard.scores.foreground import area, foreground, slice_position
from monai_advdefense.guard.volume_numbers import features_of
from monai_advdefense.metrics import overlap_counts

__all__ = ["Examined", "examine", "positions", "predicted"]

BATCH = 4


@dataclass(frozen=True)
class Examined:
    """What is kept of some slices of a volume; no decision, so that another screen needs no new measurement.

    Attributes:
        index: their places in the volume ``(S,)``.
        changed: ``(S,)`` bool, which of them differ from the clean ones.
        blank: ``(S,)`` bool.
        predicted: ``(S,)`` bool; the others are blank, or what their predictions are would change no decision.
        features: numbers of the images.
        prediction: numbers of the predictions; 0, as the counts, where not predicted.
        plain: counts ``(S, C, 3)`` of the segmenter alone, see :func:`~monai_advdefense.metrics.overlap_counts`.
        reformed: those of the segmenter behind the reformer.
    """

    index: Tensor
    changed: Tensor
    blank: Tensor
    predicted: Tensor
    features: dict[str, Tensor]
    prediction: PredictionNumbers
    plain: Tensor
    reformed: Tensor


def positions(volume: Tensor) -> Tensor:
    """Place of each slice of a volume ``(S, 1, H, W)`` in the object's extent."""
    return slice_position(torch.cat([area(foreground(batch)) for batch in volume.split(16)]))


def examine(
    image: Tensor, *, num_classes: int, index: Tensor, position: Tensor, changed: Tensor | None = None
) -> Examined:
    """Examine some slices of a volume; none is predicted yet.

    Args:
        image: the slices ``(S, 1, H, W)``.
        num_classes: of the segmenter, background included.
        index: their places in the volume ``(S,)``.
        position: their places in the object's extent ``(S,)``.
        changed: ``(S,)`` bool; None is all.
    """
    table = torch.zeros(len(image), num_classes)
    log_area = area(foreground(image)).clamp_min(1).float().log()
    centroid = torch.zeros(*table.shape, 2)
    numbers = PredictionNumbers(table, table.clone(), table.clone(), table.clone(), centroid, position, log_area)
    counts = torch.zeros(*table.shape, 3, dtype=torch.int64)
    none = torch.zeros(len(image), dtype=torch.bool)
    return Examined(
        index,
        ~none if changed is None else changed,
        is_blank(image),
        none,
        features_of(image),
        numbers,
        counts,
        counts.clone(),
    )


@torch.no_grad()
def predicted(part: Examined, guard: DefendedSegmenter, image: Tensor, label: Tensor, needed: Tensor) -> Examined:
    """The same with the predictions of further slices.

    Args:
        part: what is known.
        guard: segmenter and reformer; detector and decision do not run.
        image: the slices ``(S, 1, H, W)``.
        label: true classes ``(S, H, W)``.
        needed: ``(S,)`` bool; blank slices and those that were predicted before are left out.
    """
    part = copy.deepcopy(part)
    rows = needed & ~part.blank & ~part.predicted
    if not rows.any():
        return part
    part.predicted[rows] = True
    fast = optimize_for_inference(guard, image[:1])
    segmenter, reformer = fast.get_submodule("segmenter"), fast.get_submodule("reformer")
    for batch in torch.nonzero(rows)[:, 0].split(BATCH):
        alone, behind = segmenter(image[batch]), segmenter(reformer(image[batch]))
        place = (part.prediction.position[batch], part.prediction.log_area[batch])
        found = prediction_numbers(alone, behind, image[batch], *place)
        for name, values in vars(part.prediction).items():
            values[batch] = getattr(found, name).to(values)
        for counts, logits in ((part.plain, alone), (part.reformed, behind)):
            counts[batch] = overlap_counts(logits.max(1).indices, label[batch], counts.shape[1]).to(counts)
    return part
