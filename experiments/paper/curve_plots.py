"""ROC curves and risk-coverage curves, drawn from the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.paper.names import COMBINED, DIVERGENCE, PERFECT
from experiments.paper.plot_style import INK, PALETTE, SOFT, STYLE, shared_legend
from experiments.tables import select

# Color tells the network, the kind of line what it sees: image dotted, unshifted dashed, shifted full.
_LINES: dict[str, dict[str, Any]] = {
    "Autoencoder I": {"color": PALETTE["gray"], "linestyle": ":"},
    "Autoencoder II": {"color": PALETTE["gray"], "linestyle": "--"},
    **{
        f"{network} {sees}": {"color": PALETTE[color], "linestyle": line}
        for network, color in (("UNet", "blue"), ("DenseNet", "orange"))
        for sees, line in (("image", ":"), ("unshifted", "--"), ("shifted", "-"))
    },
    DIVERGENCE: {"color": PALETTE["green"]},
    COMBINED: {"color": INK},
    PERFECT: {"color": SOFT, "linestyle": (0, (1, 1)), "linewidth": 1.0},
}


@rc_context(fname=STYLE)
def roc_plot(rows: pd.DataFrame, targets: Sequence[str]) -> Figure:
    """Draw the ROC curves of the detectors, one panel for each target network."""
    figure, panels = _panels(targets, ("False positive rate", "True positive rate"))
    for axes, target in zip(panels, targets, strict=True):
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=(0, (1, 3)), label="chance")
        axes.axvline(0.05, color=SOFT, linewidth=0.8)
        axes.annotate("5 %", (0.05, 0.02), (3, 0), textcoords="offset points", fontsize=7.5, color=SOFT)
        _curves(axes, rows, target, "false_positive_rate", "true_positive_rate")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    shared_legend(figure, columns=6)
    return figure


@rc_context(fname=STYLE)
def risk_coverage_plot(rows: pd.DataFrame, targets: Sequence[str]) -> Figure:
    """Draw the share of bad slices among the accepted ones at each coverage, one panel for each target network."""
    figure, panels = _panels(targets, ("Coverage: share of slices accepted", "Bad among the accepted"))
    highest = rows["risk"].max() or 1.0
    for axes, target in zip(panels, targets, strict=True):
        _curves(axes, rows, target, "coverage", "risk")
        axes.set(xlim=(0, 1.01), ylim=(-0.02 * highest, 1.04 * highest))
    shared_legend(figure, columns=6)
    return figure


def _panels(targets: Sequence[str], labels: tuple[str, str]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(0.6 + 3.3 * len(targets), 4.3), layout="constrained")
    panels = list(figure.subplots(1, len(targets), squeeze=False).flat)
    for axes, target in zip(panels, targets, strict=True):
        axes.set(title=f"{target} target", xlabel=labels[0])
        axes.grid()
    panels[0].set_ylabel(labels[1])
    return figure, panels


def _curves(axes: Axes, rows: pd.DataFrame, target: str, x: str, y: str) -> None:
    here = select(rows, target=target)
    for detector in sorted(here["detector"].unique(), key=lambda name: name == PERFECT):
        points = select(here, detector=detector)
        style = {"linewidth": 1.6, **_LINES.get(detector, {"linestyle": "-."})}
        axes.plot(points[x], points[y], label=detector, **style)
