"""Metrics of the slices that a guard accepts, in the form in which ignite's metrics take outputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import monai_advdefense.guard.mark_rejected as rejection
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.detector import ReconstructionDetector

__all__ = ["accepted_pairs", "accepted_slices", "detector_decisions"]


def accepted_pairs(output: Sequence[dict[str, Tensor]], rejected: int) -> tuple[list[Tensor], list[Tensor]]:
    """Predictions and labels in which rejected voxels are background, for the Dice of what was accepted.

    A guard rejects whole slices, so the Dice of each class over a volume is then that over its accepted slices.

    Args:
        output: for each volume ``pred`` and ``label``, classes ``(1, *spatial)``.
        rejected: number of the class "rejected" in the predictions.

    Returns:
        Predictions and labels, each ``(1, *spatial)``.

    Example:
        >>> volume = {"pred": torch.tensor([[0, 1, 2, 2]]), "label": torch.tensor([[0, 1, 1, 0]])}
        >>> accepted_pairs([volume], rejected=2)
        ([tensor([[0, 1, 0, 0]])], [tensor([[0, 1, 0, 0]])])
    """
    keep = [rejection.accepted_voxels(item["pred"], rejected) for item in output]
    pairs = [(item["pred"] * kept, item["label"] * kept) for item, kept in zip(output, keep, strict=True)]
    return [pred for pred, _ in pairs], [label for _, label in pairs]


def accepted_slices(output: Sequence[dict[str, Tensor]], rejected: int, *, slice_dim: int) -> tuple[Tensor, Tensor]:
    """Decisions about slices, and what they should be for clean ones: ``ignite.metrics.Accuracy`` is the coverage.

    Blank slices are left out.

    Args:
        output: for each volume ``pred``, classes ``(1, *spatial)``, and ``image`` of the same shape.
        rejected: number of the class "rejected" in the predictions.
        slice_dim: spatial axis that counts the slices; 1 is coronal.

    Returns:
        1 for each accepted slice and 0 for each rejected one ``(N,)``, and as many ones; int64.

    Example:
        >>> volume = {"pred": torch.tensor([[[0, 2, 1]]]), "image": torch.tensor([[[0.0, 0.5, 0.5]]])}
        >>> accepted_slices([volume], rejected=2, slice_dim=1)
        (tensor([0, 1]), tensor([1, 1]))
    """
    decisions = []
    for item in output:
        blank = is_blank(item["image"].movedim(slice_dim + 1, 0))
        decisions.append(rejection.accepted_slices(item["pred"], rejected, slice_dim)[~blank])
    accepted = torch.cat(decisions).long()
    return accepted, torch.ones_like(accepted)


def detector_decisions(output: Sequence[dict[str, Tensor]], detector: ReconstructionDetector) -> tuple[Tensor, Tensor]:
    """Decisions of a detector that runs on its own, in the form of :func:`accepted_slices`.

    Args:
        output: for each slice ``image`` and the detector's output ``pred``, both ``(C, *spatial)``.
        detector: the detector that gave the outputs.

    Returns:
        1 for each accepted slice and 0 for each rejected one ``(N,)``, and as many ones; int64.
    """
    image, residual = (torch.stack([item[key] for item in output]) for key in ("image", "pred"))
    accepted = detector.decide(image, detector.residual_score(residual)).long()
    return accepted, torch.ones_like(accepted)
