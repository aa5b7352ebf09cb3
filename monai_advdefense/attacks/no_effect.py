"""Say why an attack has moved nothing."""

from __future__ import annotations

import sys
import warnings

from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = ["NoEffectWarning", "warn_of_empty_mask", "warn_of_no_effect"]

_TINY = 1e-4


class NoEffectWarning(UserWarning):
    """An attack has changed no prediction, for a reason that the caller can mend."""


def warn_of_empty_mask(mask: Tensor, targeted: Tensor) -> None:
    """Warn if a mask ``(B or 1, ...)`` leaves nothing to change in an image with ``targeted`` ``(B, ...)`` pixels."""
    empty = targeted.flatten(1).any(1) & ~mask.flatten(1).any(1)
    if empty.any():
        remedy = "give a mask for these values, such as foreground_mask(image, above=-500)"
        found = f"none in {int(empty.sum())} of {len(empty)}"
        _warn("mask", "pixels that may change in each image", found, remedy)


def warn_of_no_effect(image: Tensor, *, size: Tensor, gained: Tensor, moved: Tensor, tried: Tensor) -> None:
    """Warn, in one line, if an attack has gained nothing and its arguments are why.

    Args:
        image: what was attacked ``(B, C, *spatial)``.
        size: change ``(B,)`` of a pixel that was possible, in units of the image.
        gained: whether more is wrong than before, ``(B,)``.
        moved: whether the attack left the image, ``(B,)``.
        tried: whether there was something to gain, ``(B,)``.
    """
    tried = tried & (size > 0)
    if not tried.any() or gained.any():
        return
    extent, largest = float(image.amax() - image.amin()), float(size[tried].max())
    if largest < _TINY * extent:
        remedy = "give budget or step size in units of the image"
        _warn("budget", f"a change that matters in a range of {extent:.3g}", f"{largest:.1g} for a pixel", remedy)
    elif not moved.any():
        remedy = "give a mask and bounds that leave room, and a network without argmax that is not saturated"
        _warn("network", "a gradient that moves some pixel within mask and bounds", "none", remedy)


def _warn(subject: str, expected: str, found: str, remedy: str) -> None:
    warnings.warn(str(broken_rule(subject, expected, found, remedy)), NoEffectWarning, stacklevel=_outside())


def _outside() -> int:
    """Stack level of the first caller outside of this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("monai_advdefense"):
        level, frame = level + 1, frame.f_back
    return level
