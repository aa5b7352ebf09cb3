"""The rule that preprocessed intensities are those that the guard takes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from monai_advdefense.messages import broken_rule

__all__ = ["check_intensity_range"]


def check_intensity_range(
    image: torch.Tensor | np.ndarray[Any, Any], *, path: str | os.PathLike[str] = "image"
) -> None:
    """Check that the intensities of a preprocessed volume lie in [0, 1].

    MONAI's scaling by percentiles neither scales nor clips where both percentiles are the same number, as in a volume
    of a few bright voxels.

    Args:
        image: volume ``(C, X, Y, Z)`` after preprocessing.
        path: what to call the volume in the message.

    Raises:
        InputError: if a value lies outside, or is not a number.

    Example:
        >>> check_intensity_range(torch.rand(1, 4, 4, 4))
    """
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 1):
        remedy = "check that more than a few voxels are brain, and the scaling in the preprocessing"
        raise broken_rule(path, "intensities from 0 to 1 after preprocessing", f"{low:g} to {high:g}", remedy)
