"""Affines to one world, whichever of the two worlds of MONAI an image states."""

from __future__ import annotations

from typing import Any

import torch
from monai.data import MetaTensor
from monai.utils import SpaceKeys
from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = ["ras_affine"]

# Signs of the world axes of a space in RAS.
_TO_RAS = {str(SpaceKeys.RAS): (1, 1, 1, 1), str(SpaceKeys.LPS): (-1, -1, 1, 1)}


def ras_affine(image: MetaTensor, affine: Any = None) -> Tensor:
    """Affine of an image to RAS+ world coordinates, mm ``(4, 4)``.

    ITK's readers, MONAI Deploy's among them, may give images whose world is LPS; their meta data say so.

    Args:
        image: whose ``space`` in the meta data counts, RAS if there is none.
        affine: another affine to the same world, such as its ``original_affine``; None is the image's own.

    Raises:
        InputError: if the image states another space.

    Example:
        >>> image = MetaTensor(torch.zeros(1, 2, 2, 2), meta={"space": "LPS"})
        >>> ras_affine(image).diagonal().tolist()
        [-1.0, -1.0, 1.0, 1.0]
    """
    space = str(image.meta.get("space", SpaceKeys.RAS))
    if space not in _TO_RAS:
        raise broken_rule(
            "image",
            f"a space of {' or '.join(_TO_RAS)} in its meta data",
            repr(space),
            "convert the affine, or give `axcodes` None to take the axes as they are",
        )
    found = image.affine.as_subclass(Tensor) if affine is None else torch.as_tensor(affine, dtype=torch.float64)
    return found.new_tensor(_TO_RAS[space])[:, None] * found
