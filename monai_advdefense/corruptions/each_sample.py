"""MONAI's transforms of one image, on a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.transforms import Randomizable
from torch import Tensor

__all__ = ["each_sample"]


def each_sample(transform: Callable[[Any], Any], image: Tensor) -> Tensor:
    """Apply a transform of images ``(C, *spatial)`` to each of ``(B, C, *spatial)``, on the CPU.

    A random one draws the same for every sample, so that no sample depends on the others.
    """
    changed = []
    for sample in image.cpu():
        if isinstance(transform, Randomizable):
            transform.set_random_state(0)
        changed.append(torch.as_tensor(transform(sample)).as_subclass(Tensor))
    return torch.stack(changed).to(image)
