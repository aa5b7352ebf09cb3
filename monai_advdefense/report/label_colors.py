"""Colors of segmentation labels."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LABEL_COLORS", "label_colors", "structure_name"]

LABEL_COLORS = (
    "#DDCC77", "#4477AA", "#EE7733", "#F0E442", "#CC6677", "#117733", "#AA4499", "#88CCEE",
    "#EE3377", "#999933", "#332288", "#44AA99", "#BBBBBB", "#009988", "#882255", "#FFAABB",
)  # fmt: skip
"""Sixteen colors from the sets of Okabe and Ito and of Tol, which color-blind people can tell apart best."""


def structure_name(label: int, class_names: Mapping[int, str]) -> str:
    """Name of a label without its side, because position in the image tells left from right.

    Example:
        >>> structure_name(9, {9: "left thalamus"}), structure_name(4, {})
        ('thalamus', 'class 4')
    """
    name = class_names.get(label, f"class {label}")
    side, _, rest = name.partition(" ")
    return rest if side.lower() in ("left", "right") and rest else name


def label_colors(number: int, class_names: Mapping[int, str]) -> dict[int, str]:
    """Color of each label from 1 to ``number - 1``; left and right share one, the background has none.

    Example:
        >>> colors = label_colors(4, {1: "left thalamus", 2: "right thalamus", 3: "brain stem"})
        >>> colors[1] == colors[2] != colors[3]
        True
    """
    colors: dict[str, str] = {}
    for label in range(1, number):
        colors.setdefault(structure_name(label, class_names), LABEL_COLORS[len(colors) % len(LABEL_COLORS)])
    return {label: colors[structure_name(label, class_names)] for label in range(1, number)}
