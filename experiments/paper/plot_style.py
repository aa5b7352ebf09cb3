"""How the plots look."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

INK, SOFT, GRID = "#1f2933", "#52606d", "#e4e7eb"
PALETTE = {"blue": "#0072B2", "orange": "#D55E00", "green": "#009E73", "sky": "#56B4E9", "gray": "#7b8794"}
STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#9aa5b1",
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.dpi": 150,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    **{f"{axis}tick.{name}": value for axis in "xy" for name, value in (("color", INK), ("labelsize", 8))},
}
"""Settings of Matplotlib under which the plots are drawn."""


def shared_legend(figure: Figure, columns: int) -> None:
    """One legend for all panels."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    if entries:
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)
