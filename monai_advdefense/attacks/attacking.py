"""What holds while a network is attacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_tensor
from monai_advdefense.attacks.frozen import frozen

__all__ = ["attacking", "without_mixing"]


@contextmanager
def attacking(network: nn.Module, image: Tensor) -> Iterator[Callable[[Tensor], Any]]:
    """Freeze ``network`` and give the function of ``image`` ``(B, C, *spatial)`` to be attacked.

    It has gradients also where the caller runs under ``no_grad``, ``inference_mode`` or ``autocast``, as evaluators
    do: gradients of half precision vanish. A network with batch normalization without running statistics, whose
    output for one image depends on the others of its batch, is called image by image.

    Raises:
        InputError: if the network has no modes, see :func:`~monai_advdefense.attacks.frozen`, or the image is no
            tensor.
    """
    check_tensor("image", image)
    autocast = torch.autocast(image.device.type, enabled=False)
    with frozen(network), torch.inference_mode(False), torch.enable_grad(), autocast:
        yield without_mixing(network)


def without_mixing(network: nn.Module) -> Callable[[Tensor], Any]:
    """The function of ``network`` whose output for an image ``(C, *spatial)`` of a batch depends on no other image."""
    return _one_by_one(network) if _mixes_images(network) else network


def _mixes_images(network: nn.Module) -> bool:
    """Whether evaluation takes statistics over the batch."""
    for module in network.modules():
        # Scripted modules are of no class of torch.nn, but know the name of their own.
        name = getattr(module, "original_name", type(module).__name__)
        if "BatchNorm" in name and getattr(module, "running_mean", 0) is None:
            return True
    return False


def _one_by_one(network: nn.Module) -> Callable[[Tensor], Any]:
    return lambda image: _joined([network(one) for one in image.split(1)])


def _joined(outputs: list[Any]) -> Any:
    """One output for the batch, whatever the network wraps its tensors in."""
    first = outputs[0]
    if isinstance(first, dict):
        return {key: _joined([output[key] for output in outputs]) for key in first}
    if isinstance(first, (tuple, list)):
        return [_joined([output[place] for output in outputs]) for place in range(len(first))]
    return torch.cat(outputs)
