"""What reformer and segmenter make of slices: labels, and the numbers that a screen judges."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.guard.prediction_typicality import PredictionNumbers, prediction_numbers
from monai_advdefense.networks.windowed_unet import WindowedUNet

__all__ = ["predict_slices"]


def predict_slices(
    guard: DefendedSegmenter, image: Tensor, position: Tensor, log_area: Tensor
) -> tuple[Tensor, PredictionNumbers]:
    """Segment the reformed slices, and compare with the prediction on the slices themselves.

    Of a guard from :func:`~monai_advdefense.guard.optimize_for_inference.optimize_for_inference`, logits are made and
    read in the window that holds the object, where all else is background.

    Args:
        guard: its reformer and segmenter run, its detector and its decision do not.
        image: ``(B, channels, H, W)`` in [0, 1].
        position: see :class:`~monai_advdefense.guard.prediction_typicality.PredictionNumbers`.
        log_area: see there.

    Returns:
        Labels ``(B, H, W)`` int64 of the reformed slices, and the numbers.
    """
    segmenter, reformed = guard.segmenter, guard.reformer(image)
    if not (isinstance(segmenter, WindowedUNet) and segmenter.backgrounds_are_class_0):
        logits = segmenter(reformed)
        labels = logits.max(dim=1).indices
        return labels, prediction_numbers(segmenter(image), logits, image, position, log_area, labels=labels)
    part, alone = segmenter.part(reformed), segmenter.part(image)
    frame = part.window.joined(alone.window)
    logits = part.within(frame)
    labels = torch.zeros_like(image[:, 0], dtype=torch.int64)
    frame.of(labels).copy_(logits.max(dim=1).indices)
    numbers = prediction_numbers(
        alone.within(frame), logits, frame.of(image), position, log_area, labels=labels, frame=frame
    )
    return labels, numbers
