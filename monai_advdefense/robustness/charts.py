"""Figures of a robustness report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from monai_advdefense.report.charts import INK
from monai_advdefense.report.label_colors import LABEL_COLORS

__all__ = ["dice_curves"]

_MARKS = "osv^DPX*<>"


def dice_curves(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], *, clean: float, x_label: str, narrow: bool = False
) -> Figure:
    """Draw mean Dice against the level of attacks or corruptions.

    Args:
        curves: levels by name, as in ``robustness.json``; the one called ``worst case`` is drawn thick.
        clean: Dice of the clean images, at level 0.
        x_label: what a level is.
        narrow: for a phone.
    """
    figure = Figure(figsize=(3.5, 4.4) if narrow else (10.0, 4.2), dpi=160, layout="constrained")
    axes = figure.subplots()
    for place, (name, levels) in enumerate(curves.items()):
        worst = name == "worst case"
        points = [(0.0, clean), *((100 * level["level"], level["dice"]["estimate"]) for level in levels)]
        axes.plot(
            *zip(*[(x, y) for x, y in points if y is not None], strict=True),
            marker=_MARKS[place % len(_MARKS)],
            markersize=4,
            linewidth=2.6 if worst else 1.2,
            color=INK if worst else LABEL_COLORS[(place + 1) % len(LABEL_COLORS)],
            zorder=3 if worst else 2,
            label=name,
            gid=name,
        )
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=0)
    axes.set_ylabel("Mean Dice", fontsize=10, color=INK)
    axes.set_xlabel(x_label, fontsize=10, color=INK)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.tick_params(labelsize=9, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    columns = 2 if narrow else 6
    figure.legend(loc="outside upper left", ncols=columns, fontsize=8.5, frameon=False, labelcolor=INK)
    return figure
