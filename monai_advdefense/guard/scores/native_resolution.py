"""Native resolution: what a volume that was resampled to the grid of the guard looks like."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from monai_advdefense.messages import broken_rule

__all__ = ["RESOLUTION_COVARIATES", "as_from_spacing", "is_resampled", "resolution_covariates"]

RESOLUTION_COVARIATES = 3


def is_resampled(native: Sequence[float], spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> bool:
    """Whether voxels of ``native`` mm differ from those of the grid, ``spacing`` mm, by more than 1 %.

    Example:
        >>> is_resampled((1.0, 1.001, 1.0)), is_resampled((1.0, 1.0, 1.25))
        (False, True)
    """
    return any(abs(n / s - 1) > 0.01 for n, s in zip(native, spacing, strict=True))


def as_from_spacing(image: Tensor, native: Sequence[float], spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> Tensor:
    """The volume as it comes from a scan of voxels of ``native`` mm: interpolated to those voxels and back.

    Args:
        image: slices in their order ``(S, C, H, W)``.
        native: voxel size in mm along the slices' axis, rows and columns.
        spacing: that of ``image``.

    Raises:
        InputError: a size is not positive.
    """
    if len(native) != 3 or len(spacing) != 3 or min(*native, *spacing) <= 0:
        raise broken_rule(
            "native, spacing",
            "three positive sizes in mm",
            f"{native} and {spacing}",
            "take those of the header along the slices' axis, rows and columns",
        )
    volume = image.movedim(1, 0)[None]
    size = [max(round(n * s / m), 1) for n, s, m in zip(volume.shape[2:], spacing, native, strict=True)]
    there = interpolate(volume, size, mode="trilinear", align_corners=False)
    back = interpolate(there, volume.shape[2:], mode="trilinear", align_corners=False)
    return back[0].movedim(0, 1).contiguous()


def resolution_covariates(native: Sequence[float], spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> Tensor:
    """Numbers of a volume that its texture depends on, ``(3,)``: binary logarithms of its voxel size over the grid's.

    Within slices, again but 0 for voxels smaller than the grid's, and across slices, 0 for smaller ones; from -1 to 1.
    """
    across, rows, columns = (torch.tensor(n / s).log2().clamp(-1, 1) for n, s in zip(native, spacing, strict=True))
    within = (rows + columns) / 2
    return torch.stack([within, within.clamp_min(0), across.clamp_min(0)])
