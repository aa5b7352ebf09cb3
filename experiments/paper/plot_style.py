"""How the plots look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

INK, SOFT, GRID = "#1f2933", "#52606d", "#e4e7eb"
PALETTE = {"blue": "#0072B2", "orange": "#D55E00", "green": "#009E73", "sky": "#56B4E9", "gray": "#7b8794"}
STYLE = Path(__file__).with_name("plots.mplstyle")


def shared_legend(figure: Figure, columns: int) -> None:
    """One legend for all panels."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    if entries:
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)
