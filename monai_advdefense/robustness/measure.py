"""Measure one case under one condition."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.messages import broken_rule, one_line, reason
from monai_advdefense.robustness.case import Case
from monai_advdefense.robustness.condition import Condition, spoilt_images
from monai_advdefense.robustness.guarded import Subject
from monai_advdefense.robustness.outputs import predicted, structure_counts
from monai_advdefense.robustness.pictures import pictures
from monai_advdefense.robustness.settings import Settings

__all__ = ["Record", "check_fit", "measured", "reference_of"]

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


def check_fit(case: Case, subject: Subject, settings: Settings, device: torch.device) -> None:
    """Check that the network takes the image of a case, and that its label has no other classes than the network.

    Raises:
        InputError: if not; it names the case.
    """
    image = subject.network.to_unit(case.image[:1].to(device))
    try:
        logits = _logits(subject.network, image)
        _check_label(case, logits, settings.activation)
        if subject.guarded is not None:
            subject.guarded.accepted(image)
    except AdvDefenseError as error:
        raise type(error)(f"{one_line(case.name)}, {error}") from error
    # What a network says of an image that does not fit it can be of any kind.
    except Exception as error:
        found = f"{type(error).__name__}: {reason(error)}"
        remedy = "leave it out, or bring it to the channels, axes and size of the others"
        raise broken_rule(case.name, "an image that the network takes", found, remedy) from error


def _check_label(case: Case, logits: Tensor, activation: str) -> None:
    """Check that the logits of the first sample are classes, and those of its label among them."""
    # One channel is no class that a label could be brought to.
    classes, found = logits.shape[1], predicted(logits, activation)
    if case.label is None:
        return
    if activation == "sigmoid":
        structure_counts(logits, case.label[:1].to(found.device), activation)
    elif (highest := int(case.label.max())) >= classes:
        rule = f"classes 0 to {classes - 1}, those of the network"
        raise broken_rule("label", rule, highest, "bring its classes to those")


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
