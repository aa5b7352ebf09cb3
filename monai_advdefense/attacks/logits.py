"""What attacks ask of a network: usable logits, which pixels it takes for their class, and finite gradients."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = ["check_classes", "check_gradient", "check_logits", "predicted_as"]


def check_logits(logits: Tensor, image: Tensor) -> None:
    """Raise InputError unless ``logits`` are ``(B, K, *spatial)`` for ``image`` ``(B, C, *spatial)``.

    If the image asks for a gradient, they must have one.
    """
    fits = isinstance(logits, Tensor) and logits[:, :1].shape == image[:, :1].shape
    if not fits:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        expected = f"logits (B, K, *spatial) for an image of shape {tuple(image.shape)}"
        raise broken_rule("network", expected, found, "give a segmentation network for images of this size")
    if image.requires_grad and not logits.requires_grad:
        expected = "logits that can be differentiated by the image"
        raise broken_rule("network", expected, "constants", "leave out argmax, detach and no_grad")


def check_classes(name: str, classes: Tensor, logits: Tensor) -> None:
    """Raise InputError unless ``logits`` ``(R, K, *spatial)`` have a channel for each class of argument ``name``."""
    if classes.numel() and classes.max() >= logits.shape[1]:
        expected = f"classes below {logits.shape[1]}, the channels of the logits"
        raise broken_rule(name, expected, int(classes.max()), "give the network of all classes")


def predicted_as(logits: Tensor, classes: Tensor) -> Tensor:
    """Tell where no logit of ``(B, K, *spatial)`` is above that of ``classes`` ``(B, 1, *spatial)``, in their shape.

    Raises:
        InputError: if the highest logit of a pixel is not finite.
    """
    # argmax costs several times amax on CPU, and only this one comparison is needed.
    highest = logits.amax(1, keepdim=True)
    # A comparison with NaN is false and would count as another prediction.
    if not _all_finite(highest):
        raise broken_rule("network", "finite logits", "NaN or infinity", "look for broken weights or inputs")
    return logits.gather(1, classes) >= highest


def check_gradient(name: str, gradient: Tensor) -> None:
    """Raise InputError unless the gradient ``(B, C, *spatial)`` of argument ``name`` by the image is finite."""
    if not _all_finite(gradient):
        raise broken_rule(name, "finite gradients of the image", "NaN or infinity", "look for broken weights or inputs")


def _all_finite(values: Tensor) -> bool:
    """Whether no value is NaN or infinite; on CPU in a tenth of the time that ``torch.isfinite`` takes."""
    return not values.numel() or all(map(math.isfinite, map(float, torch.aminmax(values))))
