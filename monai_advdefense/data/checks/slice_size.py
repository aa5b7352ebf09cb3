"""The rule that all slices have the size that the networks take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.utils import convert_to_tensor

from monai_advdefense.messages import broken_rule

__all__ = ["check_slice_size"]

# The networks of the bundles halve a slice four times.
_MULTIPLE = 16


def check_slice_size(
    image: torch.Tensor | np.ndarray[Any, Any],
    slice_size: Sequence[int],
    *,
    slice_dim: int,
    path: str | os.PathLike[str] = "image",
) -> None:
    """Check that the slices of a preprocessed volume have the size that the networks take.

    Padding leaves a brain as it is that is larger; what it fills counts then (the box around the voxels above 0), not
    the field of view.

    Args:
        image: volume ``(1, X, Y, Z)`` after preprocessing.
        slice_size: sides of the slices, in voxels.
        slice_dim: spatial axis that counts the slices; 1 is coronal.
        path: what to call the volume in the message.

    Raises:
        InputError: if the slices have other sides.

    Example:
        >>> check_slice_size(torch.ones(1, 192, 200, 192), (192, 192), slice_dim=1)
    """
    axes = [axis for axis in range(3) if axis != slice_dim]
    sides, found = tuple(slice_size), tuple(image.shape[1 + axis] for axis in axes)
    extents = _extents(convert_to_tensor(image, track_meta=False)[0] > 0, axes)
    if any(extent > side for extent, side in zip(extents, sides, strict=True)):
        enough = tuple(
            side if extent <= side else -(-extent // _MULTIPLE) * _MULTIPLE
            for extent, side in zip(extents, sides, strict=True)
        )
        raise broken_rule(
            path,
            f"a brain (voxels above 0) of at most {sides[0]} x {sides[1]} voxels in the plane of the slices",
            f"{extents[0]} x {extents[1]} voxels",
            "check the voxel size, and that everything outside the brain is exactly 0 (skull-stripped), or pad to "
            f"{enough}: set slice_size",
        )
    if found != sides:
        remedy = f"let the preprocessing pad to {sides} and crop to the brain, or set slice_size"
        raise broken_rule(path, f"slices of {sides} voxels after preprocessing", f"{found}", remedy)


def _extents(foreground: torch.Tensor, axes: Sequence[int]) -> list[int]:
    """Sides of the smallest box around the foreground ``(X, Y, Z)`` along some axes."""
    extents = []
    for axis in axes:
        occupied = foreground.sum(sorted({0, 1, 2} - {axis})).flatten().nonzero()
        extents.append(int(occupied[-1] - occupied[0]) + 1 if len(occupied) else 0)
    return extents
