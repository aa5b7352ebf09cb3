"""A network as it is deployed on volumes: through overlapping windows, with gradients end to end."""

from __future__ import annotations

from typing import Any

from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

__all__ = ["ThroughWindows"]


class ThroughWindows(nn.Module):
    """A network behind MONAI's sliding windows, to be attacked as a whole.

    Windows overlap, so that a voxel is judged by several of them: an attack on the windows one by one is another, and a
    weaker one. Activations inside of a window are not stored but computed anew for the gradient: memory grows with the
    output of the volume alone, and a step costs two forward passes and one gradient.

    Args:
        network: differentiable map from windows to logits.
        inferer: windows as they are deployed.

    Example:
        >>> import torch
        >>> network = ThroughWindows(nn.Conv3d(1, 2, 3, padding=1), SlidingWindowInferer(roi_size=8, overlap=0.5))
        >>> network(torch.rand(1, 1, 12, 12, 12)).shape
        torch.Size([1, 2, 12, 12, 12])
    """

    def __init__(self, network: nn.Module, inferer: SlidingWindowInferer) -> None:
        super().__init__()
        self.network = network
        self.inferer = inferer

    def forward(self, image: Tensor) -> Any:
        """Logits of a volume ``(B, C, *spatial)``, or what else the network returns, joined by the inferer."""
        return self.inferer(image, lambda window: checkpoint(self.network, window, use_reentrant=False))
