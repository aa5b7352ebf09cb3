"""Use a network without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["frozen"]


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Keep a network in evaluation mode and its parameters out of the graph, and restore both on exit.

    The flags of every submodule and every parameter come back one by one, also after an exception: a network whose
    parts are in different modes leaves as it came. Gradients are never written.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Dropout())
        >>> with frozen(network):
        ...     network[1].training, network[0].weight.requires_grad
        (False, False)
        >>> network[1].training, network[0].weight.requires_grad
        (True, True)
    """
    training = [(module, module.training) for module in network.modules()]
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        network.eval()
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, flag in training:
            module.training = flag
        for parameter in trainable:
            parameter.requires_grad_(True)
