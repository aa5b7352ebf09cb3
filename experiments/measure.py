"""Measure slices batch by batch: how they are attacked, segmented and scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from experiments.artefact import Arrays
from experiments.attacks import attacked
from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector
from monai_advdefense.guard.divergence import divergence_score
from monai_advdefense.metrics import overlap_counts, soft_dice

BATCH_SIZE = 16


def measure(
    compute: Callable[..., Mapping[str, Tensor]], network: nn.Module, *slices: Tensor, description: str | None = None
) -> Arrays:
    """Call a function on slices, batch by batch, and join what it gives.

    Args:
        compute: from a batch of each of ``slices`` to columns ``(B, ...)`` by name.
        network: tells the device to compute on.
        *slices: tensors ``(N, ...)``.
        description: stands beside a progress bar; none is shown without.
    """
    device = next(network.parameters()).device
    columns: dict[str, list[Tensor]] = {}
    starts = range(0, len(slices[0]), BATCH_SIZE)
    for start in tqdm(starts, description, unit="batch", leave=False, disable=description is None):
        batch = (tensor[start : start + BATCH_SIZE].to(device) for tensor in slices)
        for name, values in compute(*batch).items():
            columns.setdefault(name, []).append(values.cpu())
    return {name: torch.cat(parts).numpy() for name, parts in columns.items()}


def craft(
    network: nn.Module, image: Tensor, label: Tensor, *, seed: int, norm: Tensor | None = None, **options: Any
) -> Arrays:
    """Attack slices ``(N, 1, H, W)`` as :func:`~experiments.attacks.attacked` does, whose ``options`` these are.

    The same seed gives the same random draws at every strength.

    Returns:
        ``image`` ``(N, 1, H, W)``, ``norm`` and ``flipped`` ``(N,)``.
    """
    generator = torch.Generator().manual_seed(seed)

    def attack(batch: Tensor, classes: Tensor, aim: Tensor | None = None) -> dict[str, Tensor]:
        return attacked(network, batch, classes, norm=aim, generator=generator, **options)

    return measure(attack, network, image, label, *(() if norm is None else (norm,)))


@torch.no_grad()
def overlaps(
    segmenter: nn.Module, image: Tensor, label: Tensor, *, num_classes: int, reformer: nn.Module | None = None
) -> Arrays:
    """Segment slices ``(N, 1, H, W)``, behind a reformer if there is one, and compare with the labels ``(N, H, W)``.

    Returns:
        ``counts`` ``(N, C, 3)``, see :func:`~monai_advdefense.metrics.overlap_counts`, and ``soft_dice`` ``(N,)``.
    """

    def compare(batch: Tensor, classes: Tensor) -> dict[str, Tensor]:
        logits = segmenter(batch if reformer is None else reformer(batch))
        counts = overlap_counts(logits.argmax(1), classes, num_classes)
        return {"counts": counts, "soft_dice": soft_dice(logits.softmax(1), classes)}

    return measure(compare, segmenter, image, label)


@torch.no_grad()
def scores(detector: ReconstructionDetector, image: Tensor) -> Arrays:
    """Score slices ``(N, 1, H, W)``: ``score`` ``(N,)``."""
    return measure(lambda batch: {"score": detector.score(batch)}, detector, image)


@torch.no_grad()
def divergence(segmenter: nn.Module, reformer: nn.Module, image: Tensor) -> Arrays:
    """Score slices ``(N, 1, H, W)`` by the divergence of the prediction behind the reformer: ``score`` ``(N,)``."""

    def score(batch: Tensor) -> dict[str, Tensor]:
        return {"score": divergence_score(segmenter(batch), segmenter(reformer(batch)), batch)}

    return measure(score, segmenter, image)


@torch.no_grad()
def guarded(
    guard: DefendedSegmenter, image: Tensor, label: Tensor, *, num_classes: int, description: str | None = None
) -> Arrays:
    """Segment slices without and with the reformer of a guard, and score them.

    Returns:
        ``plain`` and ``reformed``, counts ``(N, C, 3)`` as of :func:`overlaps`, and the scores ``spectral`` and
        ``combined`` ``(N,)``, the latter NaN if the guard has no calibration for it.
    """
    decision = CombinedDecision()
    decision.load_state_dict(guard.decision.state_dict())
    decision.to(next(guard.segmenter.parameters()).device)

    def compare(batch: Tensor, classes: Tensor) -> dict[str, Tensor]:
        plain, reformed = guard.segmenter(batch), guard.segmenter(guard.reformer(batch))
        spectral = guard.detector.score(batch)
        other = divergence_score(plain, reformed, batch, guard.temperature)
        return {
            "plain": overlap_counts(plain.argmax(1), classes, num_classes),
            "reformed": overlap_counts(reformed.argmax(1), classes, num_classes),
            "spectral": spectral,
            "combined": decision.combine(torch.stack([spectral, other], dim=1)),
        }

    return measure(compare, guard.segmenter, image, label, description=description)
