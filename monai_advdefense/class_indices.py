"""Class indices from label images, which MONAI often carries as whole numbers in floating point."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = ["class_indices", "label_type"]


def class_indices(name: str, label: Tensor, num_classes: int | None = None) -> Tensor:
    """Class indices of a label image as int64.

    Args:
        name: what errors call the argument.
        label: whole numbers ``(B, *spatial)`` of any type, or of another shape.
        num_classes: number of classes, the background included; None leaves the upper end open.

    Raises:
        InputError: if a value is not a whole number, or not one of the classes.

    Example:
        >>> class_indices("label", torch.tensor([0.0, 2.0]), num_classes=3)
        tensor([0, 2])
    """
    plain = label.as_subclass(Tensor)
    classes = plain.long()
    if plain.is_floating_point() and not torch.equal(classes.to(plain.dtype), plain):
        raise broken_rule(name, "whole numbers", "fractions or NaN", "resample with nearest neighbor")
    if not classes.numel():
        return classes
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or (num_classes is not None and high >= num_classes):
        expected = "classes from 0" if num_classes is None else f"classes 0 to {num_classes - 1}"
        raise broken_rule(name, expected, f"{low} to {high}", "merge the labels or correct num_classes")
    return classes


def label_type(num_classes: int) -> torch.dtype:
    """Smallest type of a label map, the background and "rejected" included: uint8, or int16 for more than 256.

    Example:
        >>> label_type(29)
        torch.uint8
    """
    return torch.uint8 if num_classes <= 256 else torch.int16
