"""The severity at which a corruption changes an image by a given amount, so that corruptions can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import check_bounds, check_image, check_mask
from monai_advdefense.corruptions.catalogue import CORRUPTIONS, Corruption
from monai_advdefense.messages import broken_rule

__all__ = ["Corrupted", "calibrated", "corrupted"]

_BISECTIONS = 10
_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Corrupted:
    """Images that something other than an attacker has spoilt.

    Attributes:
        image: ``(B, C, *spatial)`` in [0, 1].
        label: labels ``(B, 1, *spatial)`` of what the image shows, or None.
        severity: of each image ``(B,)``, in [0, 1].
        change: L2 norm of the difference over that of the clean image ``(B,)``.
    """

    image: Tensor
    label: Tensor | None
    severity: Tensor
    change: Tensor


def corrupted(
    image: Tensor, *, name: str, severity: float, label: Tensor | None = None, mask: Tensor | None = None
) -> Corrupted:
    """Spoil images by a corruption of :data:`~monai_advdefense.corruptions.CORRUPTIONS`.

    Args:
        image: ``(B, C, *spatial)`` in [0, 1].
        name: of the corruption.
        severity: from 0, nothing, to 1, the worst.
        label: ``(B, K, *spatial)`` of whole numbers; they go where what they name goes, and are 0 where it is not
            shown.
        mask: ``(B or 1, 1, *spatial)``, nothing else changes but by a corruption that moves the body; None is
            everywhere.

    Raises:
        InputError: if there is no such corruption, or an argument does not fit.

    Example:
        >>> image = torch.tensor([[[[0.2, 0.4], [0.6, 1.0]]]])
        >>> corrupted(image, name="darker", severity=0.5).image.flatten()
        tensor([0.1000, 0.2000, 0.3000, 0.5000])
    """
    corruption = _checked(image, name, mask)
    if not 0 <= severity <= 1:
        raise broken_rule("severity", "a number from 0 to 1", severity, "give one of them")
    changed = _changed(corruption, image, severity, mask)
    moved = label if label is None or corruption.move is None or not severity else corruption.move(label, severity)
    return Corrupted(changed, moved, torch.full((len(image),), float(severity)), _relative(changed, image))


def calibrated(
    image: Tensor, *, name: str, change: float, label: Tensor | None = None, mask: Tensor | None = None
) -> Corrupted:
    """Spoil images so that each changes by the same amount, whatever the corruption.

    The severity of each image is found by bisection on the image itself, to 1 % of ``change`` where the dial is fine
    enough. A corruption that cannot change an image as much is applied at its worst, one without a dial as it is: see
    what ``change`` came about.

    Args:
        image: ``(B, C, *spatial)`` in [0, 1].
        name: of the corruption.
        change: wanted L2 norm of the difference over that of the image, above 0.
        label: see :func:`corrupted`.
        mask: see :func:`corrupted`.

    Raises:
        InputError: if there is no such corruption, or an argument does not fit.

    Example:
        >>> calibrated(torch.rand(2, 1, 8, 8) / 2, name="darker", change=0.25).severity
        tensor([0.2500, 0.2500])
    """
    corruption = _checked(image, name, mask)
    if not 0 < change < float("inf"):
        raise broken_rule("change", "a finite number above 0", change, "0.1 changes an image by a tenth of its norm")
    masks = [None] * len(image) if mask is None else mask.expand(len(image), *mask.shape[1:]).split(1)
    found = [
        corrupted(
            sample,
            name=name,
            severity=_severity(corruption, sample, change, masks[place]) if corruption.graded else 1.0,
            label=None if label is None else label[place : place + 1],
            mask=masks[place],
        )
        for place, sample in enumerate(image.split(1))
    ]
    moved = None if label is None else torch.cat([one.label for one in found if one.label is not None])
    whole = (torch.cat([getattr(one, field) for one in found]) for field in ("image", "severity", "change"))
    spoilt, severity, reached = whole
    return Corrupted(spoilt, moved, severity, reached)


def _severity(corruption: Corruption, image: Tensor, change: float, mask: Tensor | None) -> float:
    """Bisect for the severity that changes one image ``(1, C, *spatial)`` by ``change``; 1 if none does."""

    def reached(severity: float) -> float:
        return float(_relative(_changed(corruption, image, severity, mask), image))

    low, high = 0.0, 1.0
    if reached(high) <= change:
        return high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        found = reached(middle)
        if abs(found - change) <= _TOLERANCE * change:
            return middle
        low, high = (middle, high) if found < change else (low, middle)
    # A dial with steps: the nearer of the two that change something.
    below = reached(low)
    return low if below > _TOLERANCE * change and change - below < reached(high) - change else high


def _changed(corruption: Corruption, image: Tensor, severity: float, mask: Tensor | None) -> Tensor:
    if not severity:
        return image.clone()
    changed = corruption.change(image, severity).clamp(0, 1)
    return changed if mask is None or corruption.move is not None else torch.where(mask.bool(), changed, image)


def _relative(changed: Tensor, image: Tensor) -> Tensor:
    """L2 norm of the difference over that of the image ``(B,)``."""
    norm = torch.linalg.vector_norm(image.flatten(1), dim=1)
    difference: Tensor = torch.linalg.vector_norm((changed - image).flatten(1), dim=1)
    return difference / norm.clamp_min(torch.finfo(norm.dtype).tiny)


def _checked(image: Tensor, name: str, mask: Tensor | None) -> Corruption:
    check_image(image)
    check_bounds((0.0, 1.0), image)
    check_mask(mask, image)
    if name not in CORRUPTIONS:
        raise broken_rule("name", f"one of {', '.join(CORRUPTIONS)}", repr(name), "choose one of them")
    return CORRUPTIONS[name]
