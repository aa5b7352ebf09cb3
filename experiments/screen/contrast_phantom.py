"""Contrast agent and a lesion, as in scans of tumour patients, drawn into a clean volume."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["contrast_agent"]

# Radii in voxels of 1 mm: dark center, bright ring, and swelling around it.
CENTER, RING, SWELLING = 10.0, 14.0, 24.0
# White matter and cortex lie closer to each other by this factor.
CONTRAST = 0.4


def contrast_agent(volume: Tensor) -> Tensor:
    """A volume ``(S, 1, X, Z)`` in [0, 1] with less contrast between gray and white matter and an enhancing lesion.

    Gray values above the darkest fifth of the object move towards their median. The lesion lies in the upper quarter
    of one side: a dark ball, a bright ring, and darker tissue around it, cut off at the edge of the object.
    """
    inside = volume > 0
    values = volume[inside]
    if not len(values):
        return volume
    dark, middle = values.quantile(0.2), values.median()
    pushed = torch.where(volume > dark, middle + CONTRAST * (volume - middle), volume)
    distance = _distance(inside[:, 0])[:, None]
    pushed = torch.where(distance < SWELLING, 0.8 * pushed, pushed)
    pushed = torch.where(distance < RING, values.max(), pushed)
    pushed = torch.where(distance < CENTER, dark, pushed)
    return torch.where(inside, pushed, 0.0)


def _distance(inside: Tensor) -> Tensor:
    """Distance ``(S, X, Z)`` in voxels to a place halfway from the middle of the object to its side and its top."""
    places = []
    for axis, share in enumerate((0.5, 0.7, 0.65)):
        shown = torch.nonzero(inside.movedim(axis, 0).flatten(1).any(dim=1)).flatten()
        first, last = int(shown[0]), int(shown[-1])
        line = torch.arange(inside.shape[axis]) - (first + share * (last - first))
        places.append(line.view([-1 if other == axis else 1 for other in range(3)]))
    return sum((place**2 for place in places), torch.zeros(())).sqrt()
