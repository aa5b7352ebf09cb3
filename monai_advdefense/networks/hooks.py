"""Hooks on modules: what others have set there to see or change what passes."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from torch import nn

__all__ = ["copied_with_hooks", "has_hooks", "hooks_of"]

_Network = TypeVar("_Network", bound=nn.Module)
_PASSES = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def hooks_of(module: nn.Module) -> tuple[Any, ...]:
    """Hooks on the passes of a module itself, forward and backward, in their order."""
    return tuple(hook for name in _PASSES for hook in getattr(module, name).values())


def has_hooks(network: nn.Module) -> bool:
    """Whether a module, or one within it, has hooks on its passes.

    Example:
        >>> network = nn.Sequential(nn.ReLU())
        >>> handle = network[0].register_forward_hook(print)
        >>> has_hooks(network), has_hooks(nn.ReLU())
        (True, False)
    """
    return any(hooks_of(module) for module in network.modules())


def copied_with_hooks(network: _Network) -> _Network:
    """Deep copy of a network that calls the same hooks.

    ``copy.deepcopy`` copies as well the objects whose methods are hooks, so that they see nothing of the copy's passes.
    Hooks that are set or removed later concern one of both alone.
    """
    held = (value for module in network.modules() for name, value in vars(module).items() if name.endswith("_hooks"))
    return copy.deepcopy(network, {id(hooks): copy.copy(hooks) for hooks in held})
