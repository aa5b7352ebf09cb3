"""Checks of the arguments that all attacks share; each failure is one line that names the argument."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from monai_advdefense.errors import InputError

__all__ = ["check_bounds", "check_choice", "check_image", "check_label", "check_mask"]


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise InputError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise InputError(f"argument `{name}`: expected one of {', '.join(choices)}, found {value!r}")


def check_image(image: Tensor) -> None:
    """Raise InputError unless ``image`` is ``(B, C, *spatial)``, floating point and finite."""
    if image.ndim < 3 or not image.is_floating_point():
        found = f"{tuple(image.shape)} of {image.dtype}"
        raise InputError(f"argument `image`: expected (B, C, *spatial) of a floating-point type, found {found}")
    if not torch.isfinite(image).all():
        raise InputError("argument `image`: expected finite values, found NaN or infinity; repair the image first")


def check_label(name: str, label: Tensor, shape: tuple[int, ...] | None = None) -> None:
    """Raise InputError unless ``label`` holds integers >= 0 in ``(B, *spatial)``, or exactly in ``shape``."""
    if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool or label.ndim < 2:
        found = f"{tuple(label.shape)} of {label.dtype}"
        raise InputError(f"argument `{name}`: expected (B, *spatial) of an integer type, found {found}")
    if shape is not None and tuple(label.shape) != shape:
        expected = f"expected shape {shape}, one class index per pixel and no channel axis"
        raise InputError(f"argument `{name}`: {expected}, found {tuple(label.shape)}")
    # Not all integer types have a minimum.
    lowest = int(label.long().min()) if label.numel() else 0
    if lowest < 0:
        raise InputError(f"argument `{name}`: expected class indices >= 0, found {lowest}")


def check_mask(mask: Tensor | None, image: Tensor) -> None:
    """Raise InputError unless ``mask`` is None or ``(B or 1, 1, *spatial)`` for ``image``."""
    if mask is None:
        return
    batch, spatial = image.shape[0], tuple(image.shape[2:])
    if tuple(mask.shape) not in {(batch, 1, *spatial), (1, 1, *spatial)}:
        expected = f"{(batch, 1, *spatial)} or {(1, 1, *spatial)}"
        raise InputError(f"argument `mask`: expected shape {expected}, found {tuple(mask.shape)}")


def check_bounds(bounds: tuple[float, float] | None, image: Tensor) -> None:
    """Raise InputError unless ``bounds`` is None or an interval that holds every value of ``image``."""
    if bounds is None:
        return
    low, high = bounds
    if not low < high:
        raise InputError(f"argument `bounds`: expected (low, high) with low < high, found {bounds}")
    # Clamping such an image would change it by more than the attack does.
    if image.numel() and (image.min() < low or image.max() > high):
        found = f"found [{float(image.min()):g}, {float(image.max()):g}]"
        raise InputError(f"argument `image`: expected values within bounds [{low:g}, {high:g}], {found}; set `bounds`")
