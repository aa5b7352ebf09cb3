"""Checks of the arguments that all attacks share."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = [
    "check_at_least",
    "check_bounds",
    "check_choice",
    "check_image",
    "check_label",
    "check_mask",
    "check_start",
    "per_sample",
]


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise InputError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise broken_rule(name, f"one of {', '.join(choices)}", repr(value), "choose one of them")


def check_at_least(name: str, value: int, least: int) -> None:
    """Raise InputError unless ``value`` is ``least`` or more."""
    if value < least:
        raise broken_rule(name, f"at least {least}", value, f"give {least} or more")


def check_image(image: Tensor) -> None:
    """Raise InputError unless ``image`` is ``(B, C, *spatial)``, floating point and finite."""
    if image.ndim < 3 or not image.is_floating_point():
        found = f"{tuple(image.shape)} of {image.dtype}"
        raise broken_rule("image", "(B, C, *spatial) of a floating-point type", found, "add axes or cast it first")
    if not torch.isfinite(image).all():
        raise broken_rule("image", "finite values", "NaN or infinity", "repair the image first")


def check_label(name: str, label: Tensor, shape: tuple[int, ...] | None = None) -> None:
    """Raise InputError unless ``label`` holds integers >= 0 in ``(B, *spatial)``, or exactly in ``shape``."""
    if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool or label.ndim < 2:
        found = f"{tuple(label.shape)} of {label.dtype}"
        raise broken_rule(name, "(B, *spatial) of an integer type", found, "give class indices of the batch")
    if shape is not None and tuple(label.shape) != shape:
        expected = f"shape {shape}, one class index per pixel"
        raise broken_rule(name, expected, tuple(label.shape), "drop its channel axis or resize it")
    # Not all integer types have a minimum.
    lowest = int(label.long().min()) if label.numel() else 0
    if lowest < 0:
        raise broken_rule(name, "class indices >= 0", lowest, "merge the labels into classes first")


def check_mask(mask: Tensor | None, image: Tensor) -> None:
    """Raise InputError unless ``mask`` is None or ``(B or 1, 1 or C, *spatial)`` for ``image`` ``(B, C, *spatial)``."""
    if mask is None:
        return
    batch, channels, spatial = image.shape[0], image.shape[1], tuple(image.shape[2:])
    if mask.shape[:1] not in {(batch,), (1,)} or tuple(mask.shape[1:]) not in {(1, *spatial), (channels, *spatial)}:
        several = f", or with {channels} channels" if channels > 1 else ""
        expected = f"shape {(batch, 1, *spatial)} or {(1, 1, *spatial)}{several}"
        raise broken_rule("mask", expected, tuple(mask.shape), "give one channel, or those of the image, of its size")


def check_bounds(bounds: tuple[float, float] | None, image: Tensor) -> None:
    """Raise InputError unless ``bounds`` is None or an interval that holds every value of ``image`` ``(B, ...)``."""
    if bounds is None:
        return
    low, high = bounds
    if not low < high:
        raise broken_rule("bounds", "(low, high) with low < high", bounds, "exchange them, or give None")
    # Clamping such an image would change it by more than the attack does.
    if image.numel() and (image.min() < low or image.max() > high):
        found = f"[{float(image.min()):g}, {float(image.max()):g}]"
        raise broken_rule("image", f"values within bounds [{low:g}, {high:g}]", found, "set `bounds`")


def check_start(start: Tensor | None, first: Tensor) -> None:
    """Raise InputError unless ``start`` is None or parameters ``(B, ...)`` in the shape of ``first``, the image's."""
    if start is not None and start.shape != first.shape:
        remedy = "give AttackResult.parameters of this attack on these images"
        raise broken_rule("start", f"parameters of shape {tuple(first.shape)}", tuple(start.shape), remedy)


def per_sample(name: str, value: Tensor | float, image: Tensor) -> Tensor:
    """Give ``value``, one number or ``(B,)``, as finite numbers >= 0 of shape ``(B, 1, ...)``; else InputError."""
    given = torch.as_tensor(value, dtype=image.dtype, device=image.device).detach().as_subclass(Tensor)
    if given.ndim > 1 or (given.ndim == 1 and given.shape != image.shape[:1]):
        expected = f"a number or shape {(len(image),)}"
        raise broken_rule(name, expected, tuple(given.shape), "give one number for all, or one per image")
    if not (torch.isfinite(given) & (given >= 0)).all():
        raise broken_rule(name, "finite numbers >= 0", "a negative or non-finite one", "correct it")
    return given.expand(len(image)).clone().view(len(image), *[1] * (image.ndim - 1))
