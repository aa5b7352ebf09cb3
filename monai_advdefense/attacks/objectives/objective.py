"""What an objective is: the loss that an attack climbs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Protocol

import torch
from torch import Tensor

from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED

__all__ = ["Objective", "pixelwise", "sum_over_pixels", "with_label"]


class Objective(Protocol):
    """Loss ``(B,)`` of each image: rises as targeted pixels are lost, differentiable by the logits.

    Args:
        logits: ``(B, K, *spatial)``, K at least 2.
        targets: classes ``(B, *spatial)``, -100 where a pixel is not targeted.
        progress: share in [0, 1) of the steps that are done; only SegPGD uses it.

    One with an argument ``label`` is also given the classes ``(B, *spatial)`` of all pixels, see :func:`with_label`.
    """

    def __call__(self, logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
        """Loss ``(B,)``."""
        ...


def with_label(objective: Callable[..., Tensor], label: Tensor) -> Objective:
    """Give ``label`` ``(B, *spatial)`` to an objective that asks for it; others are returned as they are."""
    return partial(objective, label=label) if "label" in signature(objective).parameters else objective


def pixelwise(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy ``(B, *spatial)`` of each pixel, 0 where it is not targeted."""
    return torch.nn.functional.cross_entropy(logits, targets, ignore_index=NOT_TARGETED, reduction="none")


def sum_over_pixels(losses: Tensor) -> Tensor:
    """Sum ``(B,)`` of the losses ``(B, *spatial)`` of pixels."""
    return losses.flatten(1).sum(1)
