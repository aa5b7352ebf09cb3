"""Mean squared residual, the loss of a ReconstructionDetector."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ResidualLoss"]


class ResidualLoss(nn.Module):
    """Mean square of a residual ``(B, C, *spatial)``: the reconstruction error of the network that gave it.

    A trainer calls a loss with a target; there is none here, and whatever is given is not used.

    Example:
        >>> import torch
        >>> ResidualLoss()(torch.tensor([[[1.0, -3.0]]]))
        tensor(5.)
    """

    def forward(self, residual: Tensor, target: object = None) -> Tensor:
        """Return the scalar loss of ``residual``."""
        return residual.square().mean()
