"""Batches that a segmenter sees behind a reformer."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines.utils import PrepareBatchDefault
from torch import Tensor, nn

__all__ = ["ReformedBatch"]


class ReformedBatch(PrepareBatchDefault):
    """``prepare_batch`` of an engine that trains or validates a segmenter on reformed images.

    The reformer is frozen: in evaluation mode, so that its batch statistics stay as they are, and without gradients.

    Args:
        reformer: from ``(B, C, *spatial)`` to the same shape, on the engine's device.

    Example:
        >>> image, _ = ReformedBatch(nn.Threshold(0.5, 0.0))({"image": torch.tensor([[[0.2, 0.8]]])})
        >>> image
        tensor([[[0.0000, 0.8000]]])
    """

    def __init__(self, reformer: nn.Module) -> None:
        self.reformer = reformer

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Reformed images and labels of ``batchdata`` on ``device``."""
        image, label = super().__call__(batchdata, device, non_blocking, **kwargs)
        self.reformer.eval()
        with torch.no_grad():
            return self.reformer(image), label
