"""Intensities that are not what they should be, with every voxel in its place."""

from __future__ import annotations

import torch
from monai.transforms import AdjustContrast, RandBiasField
from torch import Tensor

from monai_advdefense.corruptions.each_sample import each_sample

__all__ = ["bias_field", "clipped_histogram", "gamma_curve", "inverted", "scaled"]


def bias_field(image: Tensor, *, coefficient: float) -> Tensor:
    """Multiply ``image`` ``(B, C, *spatial)`` by the exponential of a polynomial of degree 3 over the pixels."""
    return each_sample(RandBiasField(prob=1.0, degree=3, coeff_range=(coefficient, coefficient)), image)


def gamma_curve(image: Tensor, *, gamma: float) -> Tensor:
    """Raise ``image`` ``(B, C, *spatial)``, between its lowest and highest value, to a power."""
    return each_sample(AdjustContrast(gamma=gamma), image)


def inverted(image: Tensor, *, share: float = 1.0) -> Tensor:
    """Go from ``image`` ``(B, C, *spatial)`` in [0, 1] by ``share`` of the way to its negative."""
    return torch.lerp(image, 1 - image, share)


def clipped_histogram(image: Tensor, *, share: float) -> Tensor:
    """Stretch the middle ``1 - share`` of [0, 1] over all of it; what lies outside is lost; ``(B, C, *spatial)``."""
    return ((image - share / 2) / max(1 - share, 1e-6)).clamp(0, 1)


def scaled(image: Tensor, *, factor: float) -> Tensor:
    """Multiply ``image`` ``(B, C, *spatial)`` in [0, 1] by ``factor``; what comes above 1 is 1."""
    return (image * factor).clamp(0, 1)
