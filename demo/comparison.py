"""What the guard changes, in figures: decisions and tissue overlap of a group of slices."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from monai_advdefense.errors import InputError
from monai_advdefense.metrics import dice_from_counts, overlap_counts

# Cortex of cerebrum and cerebellum, and the nuclei that the template's map also calls grey.
GREY_CLASSES = (3, 4, 9, 10, 11, 12, 13, 14, 17, 18, 19, 20, 23, 27)
# White matter of cerebrum and cerebellum, and what the template's map calls white as well: pallidum, ventral
# diencephalon, brain stem.
WHITE_CLASSES = (1, 2, 7, 8, 15, 16, 21, 22, 26)


@dataclass(frozen=True)
class Row:
    """One group of slices.

    Attributes:
        name: of the group.
        accepted: slices that the detector accepted.
        rejected: slices that it rejected.
        guarded: Dice of grey and white matter with the guard, over the accepted slices.
        alone: the same of the segmenter without the guard, over all slices of the group.
    """

    name: str
    accepted: int
    rejected: int
    guarded: tuple[float, float]
    alone: tuple[float, float]


def tissue_of_classes(labels: Tensor) -> Tensor:
    """Merge the classes of the segmentation into tissues: 0 other, 1 grey matter, 2 white matter.

    Args:
        labels: classes of any shape.

    Returns:
        Tissues int64 of the same shape.

    Example:
        >>> tissue_of_classes(torch.tensor([0, 1, 3, 5, 23, 28])).tolist()
        [0, 2, 1, 0, 1, 0]
    """
    classes = torch.as_tensor(labels).long()
    grey, white = (torch.isin(classes, torch.tensor(group)) for group in (GREY_CLASSES, WHITE_CLASSES))
    return grey.long() + 2 * white.long()


def tissue_dice(labels: Tensor, tissue: Tensor, slices: Sequence[int], *, slice_dim: int) -> tuple[float, float]:
    """Dice of grey and of white matter over some slices of a volume, their voxels taken together.

    Args:
        labels: classes of the segmentation ``(X, Y, Z)``.
        tissue: true tissues of the same shape: 0 other, 1 grey matter, 2 white matter.
        slices: indices of the slices.
        slice_dim: axis that counts the slices.

    Returns:
        Dice of grey and of white matter from 0 to 1; NaN without slices.

    Raises:
        InputError: if the shapes differ.
    """
    index = torch.as_tensor(slices, dtype=torch.int64)
    predicted, true = (v.movedim(slice_dim, 0)[index].flatten()[None] for v in (tissue_of_classes(labels), tissue))
    _, grey, white = dice_from_counts(overlap_counts(predicted, true, 3)[0]).tolist()
    return grey, white


def read_decisions(path: Path) -> dict[int, str]:
    """Decision by slice of the input, from a ``NAME_scores.csv``; blank slices and those beyond the input left out.

    Raises:
        InputError: if the file cannot be read as such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                int(row["input_index"]): row["decision"]
                for row in csv.DictReader(file)
                if row["input_index"] and row["decision"] != "blank"
            }
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: expected the score table of a volume, found {error}; run the demo again") from error


def format_table(rows: Sequence[Row]) -> str:
    """Aligned table of all groups, for a terminal."""
    names = max(len(row.name) for row in rows)
    lines = [
        f"{'':{names}}  {'':37}  {'Dice, with the guard':>20}  {'without (all slices)':>20}",
        f"{'':{names}}  {'slices':>8} {'accepted':>14} {'rejected':>13}  {'grey':>10}{'white':>10}"
        f"  {'grey':>10}{'white':>10}",
    ]
    for row in rows:
        count = row.accepted + row.rejected
        parts = [f"{n} ({_share(n, count)})" for n in (row.accepted, row.rejected)]
        dice = ["".join(f"{_dice(value):>10}" for value in pair) for pair in (row.guarded, row.alone)]
        lines.append(f"{row.name:{names}}  {count:8d} {parts[0]:>14} {parts[1]:>13}  {dice[0]}  {dice[1]}")
    return "\n".join(line.rstrip() for line in lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _dice(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
