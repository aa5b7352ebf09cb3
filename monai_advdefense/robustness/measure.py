"""Measure one case under one condition."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

from monai_advdefense.messages import broken_rule
from monai_advdefense.robustness.case import Case
from monai_advdefense.robustness.condition import Condition, spoilt_images
from monai_advdefense.robustness.guarded import Subject
from monai_advdefense.robustness.outputs import predicted, structure_counts
from monai_advdefense.robustness.pictures import pictures
from monai_advdefense.robustness.settings import Settings

__all__ = ["Record", "check_label", "measured", "reference_of"]

Record: TypeAlias = dict[str, Any]
_BATCH = 8


def reference_of(case: Case, subject: Subject, settings: Settings, device: torch.device) -> Tensor:
    """The label of a case, or where there is none what the network predicts on the clean image.

    Returns:
        Classes ``(B, *spatial)``, or of a sigmoid 0 and 1 ``(B, L, *spatial)``.
    """
    if case.label is not None:
        return case.label.to(device)
    network = subject.network
    return predicted(_logits(network, network.to_unit(case.image.to(device))), settings.activation)


def check_label(case: Case, subject: Subject, settings: Settings, device: torch.device) -> None:
    """Check that a label has no other classes than the network.

    Raises:
        InputError: if it has, or the network has a single channel.
    """
    if case.label is None or settings.activation == "sigmoid":
        return
    network = subject.network
    logits = _logits(network, network.to_unit(case.image[:1].to(device)))
    # One channel is no class that a label could be brought to.
    predicted(logits, settings.activation)
    classes = logits.shape[1]
    if (highest := int(case.label.max())) >= classes:
        rule = f"a label of classes 0 to {classes - 1}, those of the network"
        raise broken_rule(case.name, rule, f"one with {highest}", "bring its classes to those")


def measured(
    case: Case, condition: Condition, subject: Subject, *, settings: Settings, device: torch.device, with_pictures: bool
) -> Record:
    """Measure a case.

    Args:
        case: the case.
        condition: what it is put through.
        subject: what is attacked.
        settings: of the report.
        device: where the network is.
        with_pictures: also keep pictures of its middle slice.

    Returns:
        Lists over levels: ``counts`` ``[level][sample][structure][3]`` as of
        :func:`~monai_advdefense.robustness.outputs.structure_counts`, ``change`` ``[level][sample]``, the L2 norm of
        the difference over that of the image; with a guard ``accepted`` ``[level][sample]`` and ``guarded``, the counts
        behind the reformer; perhaps ``pictures`` ``[level]``.
    """
    image = subject.network.to_unit(case.image.to(device))
    mask = None if settings.background is None else (case.image.to(device) != settings.background).any(1, keepdim=True)
    reference = reference_of(case, subject, settings, device)
    record: Record = {"counts": [], "change": [], "accepted": [], "guarded": [], "pictures": []}
    for spoilt, label in spoilt_images(condition, subject, image, reference, settings=settings, mask=mask):
        logits = _logits(subject.network, spoilt)
        record["counts"].append(structure_counts(logits, label, settings.activation).tolist())
        record["change"].append(_change(image, spoilt))
        if with_pictures:
            shown = predicted(logits, settings.activation)
            record["pictures"].append(pictures(spoilt, shown, reference))
        if subject.guarded is not None:
            behind = _logits(subject.guarded.network, spoilt)
            record["guarded"].append(structure_counts(behind, label, settings.activation).tolist())
            record["accepted"].append(_accepted(subject, spoilt))
    return {name: values for name, values in record.items() if values}


@torch.no_grad()
def _logits(network: torch.nn.Module, image: Tensor) -> Tensor:
    return torch.cat([network(batch) for batch in image.split(_BATCH)])


@torch.no_grad()
def _accepted(subject: Subject, image: Tensor) -> list[bool]:
    guarded = subject.guarded
    assert guarded is not None  # noqa: S101
    return [bool(one) for batch in image.split(_BATCH) for one in guarded.accepted(batch)]


def _change(image: Tensor, spoilt: Tensor) -> list[float]:
    norm = torch.linalg.vector_norm(image.flatten(1), dim=1).clamp_min(1e-12)
    change: Tensor = torch.linalg.vector_norm((spoilt - image).flatten(1), dim=1) / norm
    return [float(f"{value:.6g}") for value in change]
