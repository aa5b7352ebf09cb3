"""What a defence costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["passes"]


def passes(defence: nn.Module, undefended: nn.Module, image: Tensor) -> float:
    """Multiplications that a defence takes for ``image`` ``(B, C, H, W)``, as passes of the undefended network.

    Example:
        >>> convolution = nn.Conv2d(1, 1, 3, padding=1)
        >>> passes(nn.Sequential(convolution, convolution), convolution, torch.zeros(1, 1, 8, 8))
        2.0
    """
    return _multiplications(defence, image) / _multiplications(undefended, image)


@torch.no_grad()
def _multiplications(network: nn.Module, image: Tensor) -> int:
    """Of convolutions and products of matrices; a Fourier transform counts as nothing."""
    with FlopCounterMode(display=False) as counter:
        network.eval()(image)
    return counter.get_total_flops()
