"""A network together with the sliding window that it is run by."""

from __future__ import annotations

from typing import Any

from monai.inferers import SliceInferer, SlidingWindowInferer
from torch import nn

from monai_advdefense.attacks import ThroughWindows
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter

__all__ = ["windowed"]


def windowed(network: nn.Module, inferer: Any) -> tuple[nn.Module, int | None]:
    """The network of whole images, and the axis that counts the slices if the inferer cuts volumes into slices.

    Args:
        network: of windows; a :class:`~monai_advdefense.guard.DefendedSegmenter` decides about whole slices.
        inferer: of a bundle, or None.

    Example:
        >>> windowed(nn.Identity(), SliceInferer(spatial_dim=1, roi_size=(8, 8)))[1]
        1
    """
    if not isinstance(inferer, SlidingWindowInferer):
        return network, None
    if not isinstance(inferer, SliceInferer):
        return ThroughWindows(network, inferer), None
    if isinstance(network, DefendedSegmenter):
        return network, inferer.spatial_dim
    kept = ("sw_batch_size", "overlap", "mode", "sigma_scale", "padding_mode", "cval")
    within = SlidingWindowInferer(inferer.orig_roi_size, **{name: getattr(inferer, name) for name in kept})
    return ThroughWindows(network, within), inferer.spatial_dim
