"""The rule that a brain must fit into the slices that the networks take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from monai_advdefense.messages import broken_rule

__all__ = ["check_brain_box"]


def check_brain_box(
    image: torch.Tensor | np.ndarray[Any, Any],
    size: Sequence[int],
    *,
    slice_dim: int = 1,
    path: str | os.PathLike[str] = "image",
) -> None:
    """Check that the brain fits into the slices that the networks take.

    What counts is the smallest box around the voxels above 0, never the field of view.

    Args:
        image: volume ``(1, X, Y, Z)`` in RAS orientation at 1 mm.
        size: largest extent of the brain along the two other axes, in voxels = mm.
        slice_dim: spatial axis along which slices are stacked; 1 is coronal.
        path: what to call the volume in the message.

    Raises:
        InputError: if the box is larger than ``size``.

    Example:
        >>> check_brain_box(torch.ones(1, 150, 200, 160), (192, 192))
    """
    # On the device of the image.
    foreground = torch.as_tensor(image)[0] > 0
    extents = []
    for axis in (axis for axis in range(3) if axis != slice_dim):
        occupied = foreground.sum(sorted({0, 1, 2} - {axis})).flatten().nonzero()
        extents.append(int(occupied[-1] - occupied[0]) + 1 if len(occupied) else 0)
    if any(extent > limit for extent, limit in zip(extents, size, strict=True)):
        raise broken_rule(
            path,
            f"a brain (voxels above 0) of at most {size[0]} x {size[1]} mm in the plane of the slices",
            f"{extents[0]} x {extents[1]} mm",
            "check the voxel size, and that everything outside the brain is exactly 0 (skull-stripped)",
        )
