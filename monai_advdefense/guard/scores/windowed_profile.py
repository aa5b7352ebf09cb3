"""Profile of the fine structure inside the object, which the object's edge does not drown."""

from __future__ import annotations

from torch import Tensor

from monai_advdefense.guard.scores.foreground import box_sum, eroded
from monai_advdefense.guard.scores.spectrum_profile import spectrum_profile

__all__ = ["fine_structure", "windowed_profile"]


def fine_structure(image: Tensor, mask: Tensor, radius: int = 3) -> Tensor:
    """The image less its mean over the object's pixels in a square window, under a soft window inside the mask.

    Args:
        image: ``(B, C, H, W)`` in [0, 1].
        mask: the object ``(B, 1, H, W)``, bool.
        radius: half of the side of the square, in pixels.

    Returns:
        ``(B, C, H, W)``, 0 at and outside of the object's edge.
    """
    inside = mask.to(image.dtype)
    mean = box_sum(image * inside, radius) / box_sum(inside, radius).clamp_min(1)
    window = box_sum(eroded(mask, 4).to(image.dtype), 2) / 25
    return (image - mean) * window


def windowed_profile(image: Tensor, mask: Tensor, frame: tuple[int, int] | None = None) -> Tensor:
    """:func:`spectrum_profile` of the :func:`fine_structure`, ``(B, C * 121)``; arguments as there."""
    return spectrum_profile(fine_structure(image, mask), eroded(mask, 4), frame)
