"""A guard as a network whose attackers see which copies pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.attacks import mean_dice
from monai_advdefense.attacks.objectives import structure_margin
from monai_advdefense.guard import DefendedSegmenter

__all__ = ["Watched"]


class Watched(nn.Module):
    """Reformer and segmenter of a guard; the guard's decision on each batch is kept for the quality that follows it.

    Args:
        guard: in evaluation mode.
    """

    def __init__(self, guard: DefendedSegmenter) -> None:
        super().__init__()
        self.guard = guard
        self.passed: Tensor | None = None

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(B, K, H, W)`` of ``image`` ``(B, 1, H, W)``."""
        with torch.no_grad():
            self.passed = self.guard.decide(image, self.guard.score(image))
        logits: Tensor = self.guard.segmenter(self.guard.reformer(image))
        return logits

    def dice_of_accepted(self, logits: Tensor, label: Tensor, targets: Tensor) -> Tensor:
        """Mean Dice ``(B,)`` of the latest batch; infinite where it does not pass, for then no harm is done."""
        rejected = self._rejected(logits)
        return mean_dice(logits, label, targets).masked_fill(rejected, torch.inf)

    def margin_of_accepted(self, logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
        """Objective ``(B,)`` of the latest batch; lowest where it does not pass, so that a search turns back."""
        rejected = self._rejected(logits)
        return structure_margin(logits, targets, progress).masked_fill(rejected, -torch.inf)

    def _rejected(self, logits: Tensor) -> Tensor:
        if self.passed is None or len(self.passed) != len(logits):
            raise RuntimeError("Watched: expected the logits of the latest batch, found others: call the network first")
        return ~self.passed
