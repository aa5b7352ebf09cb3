"""The decoder of MONAI's BasicUNet without the copies that it makes of features."""

from __future__ import annotations

from typing import Any

from monai.networks.nets.basic_unet import UpCat
from torch import Tensor, nn
from torch.nn.functional import pad

__all__ = ["SplitUpCat"]


class SplitUpCat(nn.Module):
    """A block ``UpCat`` that computes the same but for rounding.

    Its first convolution takes both features one by one and adds up, so that they and their gradients are not joined
    and split; and paddings of no width, which copy as well, are left out.

    Args:
        block: whose parameters it shares; in evaluation mode.

    Example:
        >>> import torch
        >>> block = UpCat(2, 8, 4, 4, act="relu", norm="batch", bias=True, dropout=0.0).eval()
        >>> below, skipped = torch.rand(1, 8, 4, 4), torch.rand(1, 4, 8, 8)
        >>> torch.allclose(SplitUpCat(block)(below, skipped), block(below, skipped), atol=1e-6)
        True
    """

    def __init__(self, block: UpCat) -> None:
        super().__init__()
        convs: Any = block.convs
        self.upsample = block.upsample
        self.first, self.second = convs.conv_0, convs.conv_1
        self.is_pad = block.is_pad

    def forward(self, below: Tensor, skipped: Tensor) -> Tensor:
        """Features ``(B, K, *spatial)`` from those below and those ``(B, C, *spatial)`` of the encoder."""
        raised = self.upsample(below)
        missing = [large - small for large, small in zip(skipped.shape[2:], raised.shape[2:], strict=True)]
        if self.is_pad and any(missing):
            widths = [width for one in reversed(missing) for width in (0, one)]
            raised = pad(raised, widths, "replicate")
        convolution = self.first.conv
        weights = convolution.weight.split([skipped.shape[1], raised.shape[1]], dim=1)
        joined = convolution._conv_forward(skipped, weights[0], convolution.bias)
        return self.second(self.first.adn(joined + convolution._conv_forward(raised, weights[1], None)))
