"""A purifier for networks without a trained reformer: a little smoothing within the slices."""

from __future__ import annotations

import torch
from monai.networks.layers import gaussian_1d, separable_filtering
from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = ["smoothed"]


def smoothed(image: Tensor, sigma: float = 0.75, *, slice_axis: int | None = None) -> Tensor:
    """Smooth images by a Gaussian, within their slices.

    Args:
        image: ``(B, C, *spatial)``, of any range of values.
        sigma: standard deviation in voxels.
        slice_axis: spatial axis along which nothing is smoothed, because its voxels are often larger; None smooths
            along all.

    Raises:
        InputError: ``sigma`` is not above 0.

    Example:
        >>> smoothed(torch.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0]]]), 0.5)[0, 0, 2] < 1
        tensor(True)
    """
    if not sigma > 0:
        raise broken_rule("smoothing", "a number of voxels above 0", sigma, "0.75 is usual")
    kernel = gaussian_1d(torch.tensor(float(sigma)), truncated=3.0).to(image)
    # MONAI cuts it off.
    kernel = kernel / kernel.sum()
    alone = torch.ones(1).to(image)
    kernels = [alone if axis == slice_axis else kernel for axis in range(image.ndim - 2)]
    result: Tensor = separable_filtering(image, kernels, mode="replicate")
    return result
