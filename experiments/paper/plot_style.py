"""How the plots look, and plots as files."""

from __future__ import annotations

import io
from typing import Any

from matplotlib import rc_context
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
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    **{f"{axis}tick.{name}": value for axis in "xy" for name, value in (("color", INK), ("labelsize", 8))},
}
"""Settings of Matplotlib under which the plots are drawn."""


def encoded(figure: Figure) -> dict[str, bytes]:
    """Encode a figure as ``png`` and ``svg``, the same bytes for the same figure."""
    found = {}
    # Without these SVG carries random names and the time.
    metadata: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    with rc_context({"svg.hashsalt": "monai_advdefense"}):
        for kind, entries in metadata.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=entries, facecolor="white")
            found[kind] = buffer.getvalue()
            # What was laid out once need not be so again.
            figure.set_layout_engine("none")
    return found


def shared_legend(figure: Figure, narrow: bool, columns: int) -> None:
    """One legend for all panels."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    if entries:
        figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside lower left" if narrow else "outside lower center",
            ncols=columns,
            fontsize=7.5 if narrow else 8.5,
        )
