"""Which networks can be copied and changed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["can_be_copied"]


def can_be_copied(network: nn.Module) -> bool:
    """Whether a network is neither compiled nor holds weights that torch computes of others.

    Weights of pruned networks are such at first: copying them is an error.

    Example:
        >>> can_be_copied(nn.Conv2d(1, 1, 1)), can_be_copied(torch.jit.script(nn.Conv2d(1, 1, 1)))
        (True, False)
    """
    if isinstance(network, torch.jit.ScriptModule):
        return False
    held = (value for module in network.modules() for value in vars(module).values())
    return all(value.is_leaf for value in held if isinstance(value, Tensor))
