"""A defence, made ready to be attacked."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.attacks import accelerated
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.metrics import dice_from_counts, overlap_counts
from monai_advdefense.robustness.network_facts import network_sha256

__all__ = ["Prepared"]


class Prepared:
    """A network or a guard, and its faster copy.

    Args:
        whole: from slices ``(B, 1, H, W)`` to logits; a :class:`~monai_advdefense.guard.DefendedSegmenter` may reject.

    Attributes:
        guard: the whole, if it may reject.
        network: from slices to logits, whatever the guard decides.
        sha256: checksum of the whole.
        network_sha256: checksum of the network, which guards with the same reformer and segmenter share.
    """

    def __init__(self, whole: nn.Module) -> None:
        behind = nn.Sequential(whole.reformer, whole.segmenter) if isinstance(whole, DefendedSegmenter) else whole
        self.sha256, self.network_sha256 = network_sha256(whole), network_sha256(behind)
        fast = accelerated(whole.eval())
        self.guard = fast if isinstance(fast, DefendedSegmenter) else None
        self.network = nn.Sequential(self.guard.reformer, self.guard.segmenter) if self.guard else fast

    @torch.no_grad()
    def accepted(self, image: Tensor) -> Tensor:
        """Which of ``image`` ``(B, 1, H, W)`` pass ``(B,)``."""
        if self.guard is None:
            return torch.ones(len(image), dtype=torch.bool)
        accepted: Tensor = self.guard.decide(image, self.guard.score(image))
        return accepted

    @torch.no_grad()
    def structure_dice(self, image: Tensor, label: Tensor) -> Tensor:
        """Dice ``(B, K - 1)`` of each structure; NaN where the label ``(B, H, W)`` has none of it."""
        logits = self.network(image)
        counts = overlap_counts(logits.max(1).indices, label, logits.shape[1])[:, 1:]
        return dice_from_counts(counts).where(counts[..., 2] > 0, torch.nan)
