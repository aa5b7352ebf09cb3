"""Reformer: pushes an image to the manifold of clean images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Reformer"]


class Reformer(nn.Module):
    """An image-to-image network whose output is clamped to [0, 1], the range of preprocessed images.

    Args:
        network: any network from ``(B, C, *spatial)`` to the same shape; kept as attribute ``network``.

    Source:
        Meng, Chen, "MagNet: A Two-Pronged Defense against Adversarial Examples" (CCS 2017), section 4.3.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return the reformed image, same shape as ``image`` ``(B, C, *spatial)``, in [0, 1]."""
        return torch.clamp(self.network(image), 0.0, 1.0)
