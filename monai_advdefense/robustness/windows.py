"""A network together with the sliding window that it is run by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.inferers import SliceInferer, SlidingWindowInferer
from torch import Tensor, nn

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

    Slices need no window: those of our bundles have the size of one.

    Args:
        network: of windows.
        inferer: of a bundle, or None.

    Example:
        >>> windowed(nn.Identity(), SliceInferer(spatial_dim=1, roi_size=(8, 8)))
        (Identity(), 1)
    """
    if isinstance(inferer, SliceInferer):
        return network, inferer.spatial_dim
    return (Windowed(network, inferer) if isinstance(inferer, SlidingWindowInferer) else network), None
