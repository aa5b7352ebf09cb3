"""What the transforms behind a network tell of the channels of its output."""

from __future__ import annotations

from typing import Any

from monai.transforms import Activationsd, AsDiscreted

from monai_advdefense.bundle_tools.spectral_guard import Transforms, flat

__all__ = ["channels_are_independent"]


def channels_are_independent(theirs: Transforms) -> bool:
    """Whether transforms take each channel for a structure of its own, as behind a sigmoid.

    Example:
        >>> channels_are_independent([Activationsd("pred", sigmoid=True)])
        True
        >>> channels_are_independent([Activationsd("pred", softmax=True), AsDiscreted("pred", argmax=True)])
        False
    """
    return any(map(_is_independent, flat(theirs).transforms))


def _is_independent(transform: Any) -> bool:
    if isinstance(transform, Activationsd):
        return any(transform.sigmoid)
    return isinstance(transform, AsDiscreted) and any(value is not None for value in transform.threshold)
