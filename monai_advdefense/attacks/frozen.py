"""Use a network without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from monai_advdefense.messages import broken_rule

__all__ = ["frozen"]


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Keep a network in evaluation mode and its parameters out of the graph, and restore both on exit.

    The flags of every submodule and every parameter come back one by one, also after an exception: a network whose
    parts are in different modes leaves as it came. Gradients are never written.

    Meanwhile the flags are changed for every user of the module: a thread that trains it must have a copy of its own.

    Raises:
        InputError: if the network has no modes, as after ``torch.jit.freeze`` or ``torch.export``.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Dropout())
        >>> with frozen(network):
        ...     network[1].training, network[0].weight.requires_grad
        (False, False)
        >>> network[1].training, network[0].weight.requires_grad
        (True, True)
    """
    try:
        training = [(module, module.training) for module in network.modules()]
        network.eval()
    except (AttributeError, NotImplementedError) as error:
        raise broken_rule(
            "network",
            "a module that can be put in evaluation mode",
            f"{type(network).__name__} without modes",
            "give the network before torch.jit.freeze or torch.export",
        ) from error
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, flag in training:
            module.training = flag
        for parameter in trainable:
            parameter.requires_grad_(True)
