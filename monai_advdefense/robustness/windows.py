"""A network together with the sliding window that it is run by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.inferers import SliceInferer, SlidingWindowInferer
from torch import Tensor, nn

from monai_advdefense.guard.defended_segmenter import DefendedSegmenter

__all__ = ["Windowed", "windowed"]


class Windowed(nn.Module):
    """A network whose images go through an inferer, with gradients.

    Args:
        network: of windows.
        inferer: such as ``monai.inferers.SlidingWindowInferer``.
    """

    def __init__(self, network: nn.Module, inferer: Callable[..., Any]) -> None:
        super().__init__()
        self.network = network
        self.inferer = inferer

    def forward(self, image: Tensor) -> Any:
        """Output for ``image`` ``(B, C, *spatial)``."""
        return self.inferer(image, self.network)


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
        return Windowed(network, inferer), None
    if isinstance(network, DefendedSegmenter):
        return network, inferer.spatial_dim
    kept = ("sw_batch_size", "overlap", "mode", "sigma_scale", "padding_mode", "cval")
    within = SlidingWindowInferer(inferer.orig_roi_size, **{name: getattr(inferer, name) for name in kept})
    return Windowed(network, within), inferer.spatial_dim
