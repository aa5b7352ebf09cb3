"""Images that show the body elsewhere than expected, or not all of it. Labels go through the same functions."""

from __future__ import annotations

import math

import torch
from monai.transforms import Rotate, Zoom
from torch import Tensor

from monai_advdefense.corruptions.each_sample import each_sample

__all__ = ["missing_part", "mirrored", "rotated", "swapped_slices", "upside_down", "wrong_spacing"]


def mirrored(image: Tensor) -> Tensor:
    """Exchange the two ends of the first spatial axis of ``image`` ``(B, C, *spatial)``."""
    return image.flip(2)


def upside_down(image: Tensor) -> Tensor:
    """Exchange the two ends of the last axis of ``image`` ``(B, C, *spatial)``."""
    return image.flip(-1)


def rotated(image: Tensor, *, degrees: float) -> Tensor:
    """Turn ``image`` ``(B, C, *spatial)`` in the plane of its last two axes; class indices stay what they are."""
    angle = math.radians(degrees)
    turn = Rotate(angle if image.ndim == 4 else (angle, 0.0, 0.0), mode=_mode(image), padding_mode="zeros")
    return each_sample(turn, image)


def wrong_spacing(image: Tensor, *, factor: float) -> Tensor:
    """Show ``image`` ``(B, C, *spatial)`` in a size that is ``factor`` times its own; class indices stay."""
    linear = "bilinear" if image.ndim == 4 else "trilinear"
    mode = linear if image.is_floating_point() else "nearest-exact"
    zoom = Zoom(factor, mode=mode, padding_mode="constant")
    return each_sample(lambda sample: zoom(sample.float()).to(sample.dtype), image)


def missing_part(image: Tensor, *, share: float) -> Tensor:
    """Set the first ``share`` of the rows of ``image`` ``(B, C, *spatial)`` to 0."""
    left = image.clone()
    left[..., : round(share * image.shape[-2]), :] = 0
    return left


def swapped_slices(image: Tensor, *, width: int) -> Tensor:
    """Exchange neighbouring stacks of ``width`` slices of ``image`` ``(B, C, *spatial)`` along its last axis.

    Of a two-dimensional image these are columns: what a reformatted slice of such a volume shows.

    Example:
        >>> swapped_slices(torch.arange(7).view(1, 1, 1, 7), width=2).flatten().tolist()
        [2, 3, 0, 1, 4, 5, 6]
    """
    place = torch.arange(image.shape[-1], device=image.device)
    if width:
        stacks = place // width
        whole = (stacks | 1) * width + width <= image.shape[-1]
        place = torch.where(whole, place + width * (1 - 2 * (stacks % 2)), place)
    return image[..., place]


def _mode(image: Tensor) -> str:
    return "bilinear" if image.is_floating_point() else "nearest"
