"""Detail that is lost: blur, low resolution, thick slices."""

from __future__ import annotations

from monai.transforms import GaussianSmooth, RandSimulateLowResolution
from torch import Tensor
from torch.nn.functional import interpolate

from monai_advdefense.corruptions.each_sample import each_sample

__all__ = ["blurred", "low_resolution", "thick_slices"]


def blurred(image: Tensor, *, sigma: float) -> Tensor:
    """Smooth ``image`` ``(B, C, *spatial)`` by a Gaussian of ``sigma`` pixels."""
    return each_sample(GaussianSmooth(sigma=sigma), image)


def low_resolution(image: Tensor, *, zoom: float) -> Tensor:
    """Sample ``image`` ``(B, C, *spatial)`` on a grid of ``zoom`` times its sides, and back."""
    mode = "bilinear" if image.ndim == 4 else "trilinear"
    return each_sample(RandSimulateLowResolution(prob=1.0, zoom_range=(zoom, zoom), upsample_mode=mode), image)


def thick_slices(image: Tensor, *, thickness: float) -> Tensor:
    """Average ``image`` ``(B, C, *spatial)`` over slices of ``thickness`` pixels along its last axis.

    A ``thickness`` of 3 makes of voxels of 1 x 1 x 1 mm what a scan of 1 x 1 x 3 mm holds.

    Example:
        >>> import torch
        >>> thick_slices(torch.arange(6.0).view(1, 1, 1, 6), thickness=3).flatten().tolist()
        [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    """
    lines = image.reshape(1, -1, image.shape[-1])
    kept = max(1, round(image.shape[-1] / thickness))
    coarse = interpolate(lines, size=kept, mode="area")
    return interpolate(coarse, size=image.shape[-1], mode="linear").view_as(image)
