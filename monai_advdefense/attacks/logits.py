"""What attacks ask of a network: usable logits, which pixels it takes for their class, and finite gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.messages import broken_rule, reason

__all__ = [
    "check_classes",
    "check_gradient",
    "check_logits",
    "highest_logits",
    "output_of",
    "picked_logits",
    "predicted_as",
]


def output_of(network: Callable[[Tensor], Any], image: Tensor) -> Any:
    """What ``network`` returns for ``image`` ``(B, C, *spatial)``; InputError if the image does not fit it."""
    try:
        return network(image)
    except (AdvDefenseError, torch.OutOfMemoryError):
        raise
    # Torch says so of channels, axes, sizes and types that a layer cannot take.
    except (RuntimeError, ValueError) as error:
        expected = f"one that takes images of shape {tuple(image.shape)} and {image.dtype}"
        remedy = "give images of the channels, axes, size and type of the network"
        raise broken_rule("network", expected, reason(error), remedy) from error


def picked_logits(output: Any, logits_of: Callable[[Any], Tensor] | None) -> Tensor:
    """The logits ``(B, K, *spatial)`` in what a network returns; InputError unless they are one tensor."""
    logits = output if logits_of is None else logits_of(output)
    if not isinstance(logits, Tensor):
        remedy = "give logits_of, which picks them"
        raise broken_rule("network", "logits as one tensor", f"a {type(logits).__name__}", remedy)
    return logits.as_subclass(Tensor)


def check_logits(logits: Tensor, image: Tensor) -> None:
    """Raise InputError unless ``logits`` are real numbers ``(B, K, *spatial)`` for ``image`` ``(B, C, *spatial)``.

    If the image asks for a gradient, they must have one.
    """
    fits = logits.ndim == image.ndim and logits[:, :1].shape == image[:, :1].shape
    if not fits or logits.is_complex():
        found = f"{tuple(logits.shape)} of {logits.dtype}" if fits else tuple(logits.shape)
        expected = f"logits (B, K, *spatial) for an image of shape {tuple(image.shape)}"
        raise broken_rule("network", expected, found, "give a segmentation network for images of this size")
    if image.requires_grad and not logits.requires_grad:
        expected = "logits that can be differentiated by the image"
        raise broken_rule("network", expected, "constants", "leave out argmax, detach and no_grad")


def check_classes(name: str, classes: Tensor, logits: Tensor) -> None:
    """Raise InputError unless ``logits`` ``(R, K, *spatial)`` have a channel for each class of argument ``name``."""
    if classes.numel() and classes.max() >= logits.shape[1]:
        expected = f"classes below {logits.shape[1]}, the channels of the logits"
        raise broken_rule(name, expected, int(classes.max()), "give the network of all classes, or ignore_index")


def predicted_as(logits: Tensor, classes: Tensor) -> Tensor:
    """Tell where no logit of ``(B, K, *spatial)`` is above that of ``classes`` ``(B, 1, *spatial)``, in their shape.

    Raises:
        InputError: if the highest logit of a pixel is not finite.
    """
    return logits.gather(1, classes) >= highest_logits(logits)


def highest_logits(logits: Tensor) -> Tensor:
    """The highest logit ``(B, 1, *spatial)`` of each pixel of ``(B, K, *spatial)``; InputError if one is not finite."""
    # argmax costs several times amax on CPU, and only a comparison with it is needed.
    highest = logits.amax(1, keepdim=True)
    # A comparison with NaN is false and would count as another prediction.
    if not _all_finite(highest):
        raise broken_rule("network", "finite logits", "NaN or infinity", "look for broken weights or inputs")
    return highest


def check_gradient(name: str, gradient: Tensor) -> None:
    """Raise InputError unless the gradient ``(B, C, *spatial)`` of argument ``name`` by the image is finite."""
    if not _all_finite(gradient):
        raise broken_rule(name, "finite gradients of the image", "NaN or infinity", "look for broken weights or inputs")


def _all_finite(values: Tensor) -> bool:
    """Whether no value is NaN or infinite; on CPU in a tenth of the time that ``torch.isfinite`` takes."""
    return not values.numel() or all(map(math.isfinite, map(float, torch.aminmax(values))))
