"""Accidents: slices that something other than an attacker has spoilt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

import torch
from monai.transforms import (
    AdjustContrast,
    GaussianSmooth,
    GibbsNoise,
    RandBiasField,
    RandSimulateLowResolution,
)
from torch import Tensor

from monai_advdefense.errors import InputError


def _bias_field(image: Tensor) -> Tensor:
    field = RandBiasField(prob=1.0, degree=3, coeff_range=(0.15, 0.15))
    # The same field for every slice, so that a figure does not depend on their order.
    field.set_random_state(0)
    return cast(Tensor, field(image))


def _spike(image: Tensor) -> Tensor:
    """A spike in k-space is a plane wave over the image."""
    row, column = (torch.arange(length, dtype=image.dtype) for length in image.shape[1:])
    return image + 0.1 * torch.cos(2 * math.pi * (0.21 * row[:, None] + 0.13 * column))


def _lost_rows(image: Tensor) -> Tensor:
    left = image.clone()
    left[..., ::8, :] = 0
    return left


CORRUPTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "bias field": _bias_field,
    "blur": GaussianSmooth(sigma=1.5),
    "half the resolution": RandSimulateLowResolution(prob=1.0, zoom_range=(0.5, 0.5), upsample_mode="bilinear"),
    "Gibbs ringing": GibbsNoise(alpha=0.7),
    "spike in k-space": _spike,
    "squared intensities": AdjustContrast(gamma=2.0),
    "inverted contrast": lambda image: 1 - image,
    "every eighth row lost": _lost_rows,
}
"""What each does to a slice ``(1, H, W)`` in [0, 1]; labels stay right, for nothing moves."""


def corrupted(image: Tensor, name: str) -> Tensor:
    """Corrupt slices inside the brain.

    Args:
        image: slices ``(B, 1, H, W)`` in [0, 1], 0 outside of the brain.
        name: one of :data:`CORRUPTIONS`.

    Returns:
        Slices of the same shape in [0, 1], 0 where ``image`` is; the same for the same slice, whatever the others.

    Raises:
        InputError: if there is no such corruption.
    """
    if name not in CORRUPTIONS:
        raise InputError(f"name: expected one of {', '.join(CORRUPTIONS)}, found {name!r}; choose one of them")
    spoilt = torch.stack([torch.as_tensor(CORRUPTIONS[name](slice_)) for slice_ in image.cpu()]).to(image)
    return torch.where(image > 0, spoilt.clamp(0, 1), 0.0)
