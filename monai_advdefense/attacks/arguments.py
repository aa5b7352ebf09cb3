"""Checks of the arguments that all attacks share."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = [
    "check_at_least",
    "check_bounds",
    "check_choice",
    "check_image",
    "check_integers",
    "check_label",
    "check_mask",
    "check_positive",
    "check_start",
    "check_tensor",
    "is_interval",
    "per_sample",
]


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise InputError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise broken_rule(name, f"one of {', '.join(choices)}", repr(value), "choose one of them")


def check_at_least(name: str, value: int, least: int) -> None:
    """Raise InputError unless ``value`` is a whole number, ``least`` or more."""
    if not isinstance(value, Integral):
        raise broken_rule(name, "a whole number", repr(value), f"give {least} or more")
    if value < least:
        raise broken_rule(name, f"at least {least}", value, f"give {least} or more")


def check_tensor(name: str, value: Any) -> None:
    """Raise InputError unless ``value`` is a tensor."""
    if not isinstance(value, Tensor):
        raise broken_rule(name, "a tensor", f"a {type(value).__name__}", "give one, as of torch.as_tensor")


def check_image(image: Tensor) -> None:
    """Raise InputError unless ``image`` is ``(B, C, *spatial)``, floating point and finite; the batch may be empty."""
    check_tensor("image", image)
    if image.ndim < 3 or not image.is_floating_point():
        found = f"{tuple(image.shape)} of {image.dtype}"
        raise broken_rule("image", "(B, C, *spatial) of a floating-point type", found, "add axes or cast it first")
    if not all(image.shape[1:]):
        raise broken_rule("image", "channels and pixels", f"shape {tuple(image.shape)}", "leave out what is empty")
    if not torch.isfinite(image).all():
        raise broken_rule("image", "finite values", "NaN or infinity", "repair the image first")


def check_label(name: str, label: Tensor, shape: tuple[int, ...] | None = None) -> None:
    """Raise InputError unless ``label`` holds integers >= 0 in ``(B, *spatial)``, or exactly in ``shape``."""
    check_integers(name, label, shape)
    # Not all integer types have a minimum.
    lowest = int(label.long().min()) if label.numel() else 0
    if lowest < 0:
        raise broken_rule(name, "class indices >= 0", lowest, "merge the labels into classes first")


def check_integers(name: str, label: Tensor, shape: tuple[int, ...] | None = None) -> None:
    """Raise InputError unless ``label`` holds integers in ``(B, *spatial)``, or exactly in ``shape``."""
    check_tensor(name, label)
    if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool or label.ndim < 2:
        found = f"{tuple(label.shape)} of {label.dtype}"
        raise broken_rule(name, "(B, *spatial) of an integer type", found, "give class indices, cast by .long()")
    if shape is not None and tuple(label.shape) != shape:
        expected = f"shape {shape}, one class index per pixel"
        remedy = "drop its channel axis, take argmax(1) of a one-hot one, or resize it"
        raise broken_rule(name, expected, tuple(label.shape), remedy)


def check_mask(mask: Tensor | None, image: Tensor) -> None:
    """Raise InputError unless ``mask`` is None or ``(B or 1, 1 or C, *spatial)`` for ``image`` ``(B, C, *spatial)``."""
    if mask is None:
        return
    check_tensor("mask", mask)
    batch, channels, spatial = image.shape[0], image.shape[1], tuple(image.shape[2:])
    if mask.shape[:1] not in {(batch,), (1,)} or tuple(mask.shape[1:]) not in {(1, *spatial), (channels, *spatial)}:
        several = f", or with {channels} channels" if channels > 1 else ""
        expected = f"shape {(batch, 1, *spatial)} or {(1, 1, *spatial)}{several}"
        raise broken_rule("mask", expected, tuple(mask.shape), "give one channel, or those of the image, of its size")
    if mask.isnan().any():
        raise broken_rule("mask", "true or false for each pixel", "NaN", "compare with a number, such as image > 0")


def check_bounds(bounds: tuple[float, float] | None, image: Tensor) -> None:
    """Raise InputError unless ``bounds`` is None or an interval that holds every value of ``image`` ``(B, ...)``."""
    if bounds is None:
        return
    if not is_interval(bounds):
        raise broken_rule("bounds", "(low, high) with low < high", bounds, "exchange them, or give None")
    low, high = bounds
    # Clamping such an image would change it by more than the attack does.
    if image.numel() and (image.min() < low or image.max() > high):
        found = f"[{float(image.min()):g}, {float(image.max()):g}]"
        raise broken_rule("image", f"values within bounds [{low:g}, {high:g}]", found, "set `bounds`")


def is_interval(ends: Any) -> bool:
    """Whether ``ends`` are two rising numbers."""
    two = isinstance(ends, (tuple, list)) and len(ends) == 2 and all(isinstance(end, Real) for end in ends)
    return two and bool(ends[0] < ends[1])


def check_positive(name: str, value: float, *, zero: bool = False) -> None:
    """Raise InputError unless ``value`` is a finite number above 0, or ``zero`` as well."""
    if not (isinstance(value, Real) and math.isfinite(value) and (value > 0 or (zero and value == 0))):
        rule = "a finite number >= 0" if zero else "a finite number above 0"
        raise broken_rule(name, rule, repr(value), "give such a number")


def check_start(start: Tensor | None, first: Tensor) -> None:
    """Raise InputError unless ``start`` is None or parameters ``(B, ...)`` in the shape of ``first``, the image's."""
    if start is None:
        return
    check_tensor("start", start)
    if start.shape != first.shape:
        remedy = "give AttackResult.parameters of this attack on these images"
        raise broken_rule("start", f"parameters of shape {tuple(first.shape)}", tuple(start.shape), remedy)


def per_sample(name: str, value: Tensor | float, image: Tensor) -> Tensor:
    """Give ``value``, one number or ``(B,)``, as finite numbers >= 0 of shape ``(B, 1, ...)``; else InputError."""
    try:
        given = torch.as_tensor(value, dtype=image.dtype, device=image.device).detach().as_subclass(Tensor)
    except (TypeError, ValueError, RuntimeError) as error:
        raise broken_rule(name, "numbers", repr(value), "give one number for all, or one per image") from error
    if given.ndim > 1 or (given.ndim == 1 and given.shape != image.shape[:1]):
        expected = f"a number or shape {(len(image),)}"
        raise broken_rule(name, expected, tuple(given.shape), "give one number for all, or one per image")
    if not (torch.isfinite(given) & (given >= 0)).all():
        raise broken_rule(name, "finite numbers >= 0", "a negative or non-finite one", "correct it")
    return given.expand(len(image)).clone().view(len(image), *[1] * (image.ndim - 1))
