"""What is measured on each slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from monai_advdefense.guard import CombinedDecision, DefendedSegmenter
from monai_advdefense.guard.divergence import divergence_score
from monai_advdefense.metrics import overlap_counts

__all__ = ["Arrays", "evenly_spaced", "measure"]

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


def evenly_spaced(count: int, wanted: int) -> list[int]:
    """Positions of ``wanted`` of ``count`` slices, the middles of equal parts; all of them if there are fewer.

    Example:
        >>> evenly_spaced(10, 2)
        [2, 7]
    """
    wanted = min(wanted, count)
    return [(2 * part + 1) * count // (2 * wanted) for part in range(wanted)]


def measure(
    items: Sequence[Mapping[str, Any]],
    segmenter: nn.Module,
    *,
    num_classes: int,
    guard: DefendedSegmenter | None = None,
    attack: Callable[[Tensor, Tensor, slice], tuple[Tensor, Tensor, Tensor]] | None = None,
    batch_size: int = 16,
    description: str = "",
) -> Arrays:
    """Segment slices, perhaps attacked ones, without and with a guard.

    Args:
        items: slices of :class:`monai_advdefense.data.SliceDataset` with labels.
        segmenter: network from ``(B, 1, H, W)`` to logits, in evaluation mode.
        num_classes: number of classes, background included.
        guard: scores each slice; the segmenter sees each slice once more through its reformer.
        attack: from slices, labels and their places in ``items`` to attacked slices, norms and flipped fractions.
        batch_size: slices in one pass.
        description: stands beside the progress bar.

    Returns:
        For each slice: ``volume``, ``slice``, ``subject`` and ``plain``, the overlap counts ``(N, C, 3)``; with a guard
        ``reformed``, the counts behind the reformer, and its scores ``spectral`` and ``combined`` (NaN if it has no
        calibration for it); with an attack ``norm`` and ``flipped``.
    """
    device = next(segmenter.parameters()).device
    columns: dict[str, list[Tensor]] = {}
    decision = CombinedDecision().to(device)
    if guard is not None:
        decision.load_state_dict(guard.decision.state_dict())
    for start in tqdm(range(0, len(items), batch_size), desc=description, unit="batch", leave=False):
        rows = slice(start, min(start + batch_size, len(items)))
        image = torch.stack([item["image"] for item in items[rows]]).float().to(device)
        label = torch.stack([item["label"] for item in items[rows]])[:, 0].long().to(device)
        found: dict[str, Tensor] = {}
        if attack is not None:
            image, found["norm"], found["flipped"] = attack(image, label, rows)
        with torch.no_grad():
            plain = segmenter(image)
            found["plain"] = overlap_counts(plain.argmax(1), label, num_classes)
            if guard is not None:
                reformed = segmenter(guard.reformer(image))
                found["reformed"] = overlap_counts(reformed.argmax(1), label, num_classes)
                found["spectral"] = guard.detector.score(image)
                divergence = divergence_score(plain, reformed, image, guard.temperature)
                found["combined"] = decision.combine(torch.stack([found["spectral"], divergence], dim=1))
        for name, values in found.items():
            columns.setdefault(name, []).append(values.cpu())
    arrays = {name: torch.cat(parts).numpy() for name, parts in columns.items()}
    return arrays | {name: np.array([item[name] for item in items]) for name in ("volume", "slice", "subject")}
