"""A guard made ready for many slices of one size: the same decisions and labels in less time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.networks.can_be_copied import can_be_copied
from monai_advdefense.networks.fold_batch_norm import fold_batch_norm
from monai_advdefense.networks.hooks import hooks_of
from monai_advdefense.networks.windowed_unet import WindowedUNet, can_be_windowed

__all__ = ["InferenceOptimizer", "optimize_for_inference"]

_MULTIPLE = 16
_Module = tuple[nn.Module, bool, tuple[Any, ...]]


@torch.no_grad()
def optimize_for_inference(guard: nn.Module, image: Tensor) -> nn.Module:
    """Prepare a guard for inference on slices like ``image``; the guard itself stays as it is.

    Batch normalization is folded into the convolutions. On the CPU the reformer and the segmenter compute only what can
    differ from their output for a blank slice, where they are MONAI's 2-D ``BasicUNet``, see
    :class:`~monai_advdefense.networks.WindowedUNet`; the detector sees a spectrum, in which nothing is blank.

    All else is shared with ``guard``: thresholds, its decision, and forward hooks on both. A network that has hooks
    computes whole slices, for them to see. Prepare anew after weights or hooks have changed. It takes about as long as
    two slices.

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


class InferenceOptimizer:
    """:func:`optimize_for_inference`, made anew only when the guard or the kind of its slices has changed.

    For one volume after the other. Weights are compared value by value, which takes a hundredth of the time.
    """

    def __init__(self) -> None:
        self._made: tuple[_Seen, nn.Module] | None = None

    def __call__(self, guard: nn.Module, image: Tensor) -> nn.Module:
        """Return what to call instead of ``guard`` on slices like ``image`` ``(B, C, H, W)``."""
        # Another thread may exchange it for that of another guard meanwhile.
        made = self._made
        if made is None or not made[0].fits(guard, image):
            made = self._made = _Seen.of(guard, image), optimize_for_inference(guard, image)
        return made[1]


@dataclass(frozen=True)
class _Seen:
    """What an optimized guard was made of."""

    kind: tuple[Any, ...]
    modules: tuple[_Module, ...]
    state: dict[str, Tensor]

    @staticmethod
    def of(guard: nn.Module, image: Tensor) -> _Seen:
        state = {name: value.detach().clone() for name, value in _tensors(guard)}
        return _Seen(_kind(image), _modules(guard), state)

    def fits(self, guard: nn.Module, image: Tensor) -> bool:
        now = dict(_tensors(guard))
        return (
            self.kind == _kind(image)
            and self.modules == _modules(guard)
            and self.state.keys() == now.keys()
            and all(_same(value, now[name]) for name, value in self.state.items())
        )


def _modules(guard: nn.Module) -> tuple[_Module, ...]:
    return tuple((module, module.training, hooks_of(module)) for module in guard.modules())


def _kind(image: Tensor) -> tuple[Any, ...]:
    return image.shape[1:], image.dtype, image.device


def _tensors(guard: nn.Module) -> list[tuple[str, Tensor]]:
    return [*guard.named_parameters(), *guard.named_buffers()]


def _same(before: Tensor, now: Tensor) -> bool:
    if (before.device, before.dtype, before.shape) != (now.device, now.dtype, now.shape):
        return False
    # A threshold that no calibration has filled is not a number.
    return torch.equal(before, now) or bool(torch.isclose(before, now, rtol=0, atol=0, equal_nan=True).all())


def _windowed(network: nn.Module, backgrounds: Sequence[Tensor]) -> nn.Module:
    folded = fold_batch_norm(network)
    fits = all(image.device.type == "cpu" and not any(n % _MULTIPLE for n in image.shape[2:]) for image in backgrounds)
    return WindowedUNet(folded, backgrounds) if fits and can_be_windowed(folded) else folded


def _replaced(part: nn.Module, replace: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """The part, or the network that it holds, replaced."""
    network = getattr(part, "network", None)
    if isinstance(network, nn.Module) and not isinstance(part, torch.jit.ScriptModule):
        return _with_modules(part, {"network": _replaced(network, replace)})
    return replace(part) if can_be_copied(part) else part


def _with_modules(module: nn.Module, children: dict[str, nn.Module]) -> nn.Module:
    """Shallow copy with some children exchanged; hooks and buffers are those of ``module``."""
    result = copy.copy(module)
    result._modules = {**module._modules, **children}
    return result
