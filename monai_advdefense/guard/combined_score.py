"""CombinedScore: spectral and divergence score as one, against one threshold."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.guard.decision import accepts

__all__ = ["CombinedScore"]


class CombinedScore(nn.Module):
    """The sum of two scores, each standardized by its mean and standard deviation over clean images.

    All numbers are float32 buffers, which travel in the state dict, TorchScript and ONNX: ``center`` and ``scale``
    ``(2,)``, and the scalar ``threshold`` of the sum. They are NaN until a calibration fills them, and till then
    nothing is accepted.

    Example:
        >>> combination = CombinedScore()
        >>> combination.center.copy_(torch.tensor([2.0, 0.1])), combination.scale.copy_(torch.tensor([0.5, 0.2]))
        (tensor([2.0000, 0.1000]), tensor([0.5000, 0.2000]))
        >>> combination(torch.tensor([3.0]), torch.tensor([0.3]))
        tensor([3.])
    """

    def __init__(self) -> None:
        super().__init__()
        self.center = nn.Buffer(torch.full((2,), float("nan"), dtype=torch.float32))
        self.scale = nn.Buffer(torch.full((2,), float("nan"), dtype=torch.float32))
        self.threshold = nn.Buffer(torch.tensor(float("nan"), dtype=torch.float32))

    def forward(self, spectral: Tensor, divergence: Tensor) -> Tensor:
        """Return the combined scores ``(B,)`` of two scores ``(B,)`` each; higher is more suspicious."""
        scores = torch.stack([spectral, divergence], dim=1)
        return ((scores - self.center) / self.scale).sum(dim=1)

    @torch.jit.export
    def decide(self, image: Tensor, score: Tensor) -> Tensor:
        """Return ``(B,)`` bool: accepted, given the combined ``score`` ``(B,)`` of ``image``.

        See :func:`~monai_advdefense.guard.decision.accepts` for the rule.
        """
        return accepts(image, score, self.threshold)
