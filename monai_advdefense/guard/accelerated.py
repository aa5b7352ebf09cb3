"""A guard made ready for many slices of one size: the same decisions and labels in less time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.networks.fold_batch_norm import fold_batch_norm
from monai_advdefense.networks.windowed_unet import WindowedUNet, can_be_windowed

__all__ = ["accelerated"]

_MULTIPLE = 16


@torch.no_grad()
def accelerated(guard: nn.Module, image: Tensor) -> nn.Module:
    """Prepare a guard for inference on slices like ``image``; the guard itself stays as it is.

    Batch normalization is folded into the convolutions. On the CPU the reformer and the segmenter compute only what can
    differ from their output for a blank slice, where they are MONAI's 2-D ``BasicUNet``, see
    :class:`~monai_advdefense.networks.WindowedUNet`; the detector sees a spectrum, in which nothing is blank.

    All else is shared with ``guard``: thresholds, its decision, and forward hooks on both. Prepare
    anew after the weights have changed. It takes about as long as two slices.

    Args:
        guard: a :class:`~monai_advdefense.guard.DefendedSegmenter` in evaluation mode; anything else, one in training
            mode too, is returned as it is.
        image: slices ``(B, C, H, W)`` in the type and on the device of those to come; values do not matter.

    Returns:
        What to call instead of ``guard``, without gradients of the weights.
    """
    # A subclass may do other things with its parts.
    if type(guard) is not DefendedSegmenter or any(module.training for module in guard.modules()):
        return guard
    blank = torch.zeros_like(image[:1])
    reformer = _replaced(guard.reformer, lambda network: _windowed(network, [blank]))
    # In the reformed image the background is that of a reformed blank slice.
    segmenter = _replaced(guard.segmenter, lambda network: _windowed(network, [blank, reformer(blank)]))
    detector = _replaced(guard.detector, fold_batch_norm)
    return _with_modules(guard, {"detector": detector, "reformer": reformer, "segmenter": segmenter})


def _windowed(network: nn.Module, backgrounds: Sequence[Tensor]) -> nn.Module:
    folded = fold_batch_norm(network)
    fits = all(image.device.type == "cpu" and not any(n % _MULTIPLE for n in image.shape[2:]) for image in backgrounds)
    return WindowedUNet(folded, backgrounds) if fits and can_be_windowed(folded) else folded


def _replaced(part: nn.Module, replace: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """The part, or the network that it holds, replaced."""
    network = getattr(part, "network", None)
    if isinstance(network, nn.Module) and not isinstance(part, torch.jit.ScriptModule):
        return _with_modules(part, {"network": _replaced(network, replace)})
    return replace(part) if _can_be_copied(part) else part


def _can_be_copied(network: nn.Module) -> bool:
    """Not what is compiled, nor weights that torch computes of others, as those of pruned networks are at first."""
    if isinstance(network, torch.jit.ScriptModule):
        return False
    held = (value for module in network.modules() for value in vars(module).values())
    return all(value.is_leaf for value in held if isinstance(value, Tensor))


def _with_modules(module: nn.Module, children: dict[str, nn.Module]) -> nn.Module:
    """Shallow copy with some children exchanged; hooks and buffers are those of ``module``."""
    result = copy.copy(module)
    result._modules = {**module._modules, **children}
    return result
