"""What is measured on a set of slices, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from experiments.measurement import Arrays
from experiments.settings import AttackSetting, attacked, attacked_by_insider
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector
from monai_advdefense.guard.divergence import divergence_score
from monai_advdefense.metrics import overlap_counts, soft_dice

__all__ = ["craft", "craft_selective", "divergence", "overlaps", "scores"]

BATCH_SIZE = 16


def craft(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    setting: AttackSetting,
    num_classes: int,
    seed: int,
    norm: Tensor | None = None,
) -> Arrays:
    """Attack slices as :func:`~experiments.settings.attacked` does.

    Args:
        network: the target network in evaluation mode.
        image: slices ``(N, 1, H, W)`` in [0, 1].
        label: true classes ``(N, H, W)``.
        setting: the attack.
        num_classes: number of classes, background included.
        seed: seed of random targets and noise; the same draws at every strength.
        norm: for noise: L2 norm ``(N,)`` of the attack that it stands beside.

    Returns:
        ``image`` ``(N, 1, H, W)`` float32, ``norm`` and ``flipped`` ``(N,)``.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for rows in _batches(len(image)):
        batch, classes = _to_device(network, image[rows], label[rows])
        aim = None if norm is None else norm[rows]
        options = {"setting": setting, "num_classes": num_classes, "generator": generator, "norm": aim}
        parts.append(attacked(network, batch, classes, **options))  # type: ignore[arg-type]
    return _joined(("image", "norm", "flipped"), parts)


def craft_selective(guard: DefendedSegmenter, image: Tensor, label: Tensor, *, radius: Tensor, steps: int) -> Arrays:
    """Attack slices as one does who knows the guard, brain only.

    Args:
        guard: detector, reformer and target network in evaluation mode, calibrated.
        image: slices ``(N, 1, H, W)`` in [0, 1].
        label: true classes ``(N, H, W)``.
        radius: largest L2 norm ``(N,)`` of each perturbation.
        steps: number of steps.

    Returns:
        As :func:`craft`.
    """
    parts = []
    for rows in _batches(len(image)):
        batch, classes = _to_device(guard, image[rows], label[rows])
        parts.append(attacked_by_insider(guard, batch, classes, radius=radius[rows], steps=steps))
    return _joined(("image", "norm", "flipped"), parts)


@torch.no_grad()
def scores(detector: ReconstructionDetector, image: Tensor) -> Arrays:
    """Score slices ``(N, 1, H, W)``: ``score`` ``(N,)``."""
    batches = (_to_device(detector, image[rows])[0] for rows in _batches(len(image)))
    return _joined(("score",), [(detector.score(batch),) for batch in batches])


@torch.no_grad()
def divergence(segmenter: nn.Module, reformer: nn.Module, image: Tensor) -> Arrays:
    """Score slices ``(N, 1, H, W)`` by the divergence of the prediction behind the reformer: ``score`` ``(N,)``."""
    parts = []
    for rows in _batches(len(image)):
        (batch,) = _to_device(segmenter, image[rows])
        parts.append((divergence_score(segmenter(batch), segmenter(reformer(batch)), batch),))
    return _joined(("score",), parts)


@torch.no_grad()
def overlaps(
    segmenter: nn.Module, reformer: nn.Module | None, image: Tensor, label: Tensor, num_classes: int
) -> Arrays:
    """Segment slices, behind a reformer if there is one.

    Returns:
        ``counts`` ``(N, C, 3)``, see :func:`~monai_advdefense.metrics.overlap_counts`, and ``soft_dice`` ``(N,)``.
    """
    parts = []
    for rows in _batches(len(image)):
        batch, classes = _to_device(segmenter, image[rows], label[rows])
        logits = segmenter(batch if reformer is None else reformer(batch))
        parts.append((overlap_counts(logits.argmax(1), classes, num_classes), soft_dice(logits.softmax(1), classes)))
    return _joined(("counts", "soft_dice"), parts)


def _batches(count: int) -> list[slice]:
    return [slice(start, start + BATCH_SIZE) for start in range(0, count, BATCH_SIZE)]


def _to_device(network: nn.Module, *tensors: Tensor) -> list[Tensor]:
    device = next(network.parameters()).device
    return [tensor.to(device) for tensor in tensors]


def _joined(names: tuple[str, ...], parts: Sequence[tuple[Tensor, ...]]) -> Arrays:
    columns = zip(names, zip(*parts, strict=True), strict=True)
    return {name: torch.cat(values).cpu().numpy() for name, values in columns}
