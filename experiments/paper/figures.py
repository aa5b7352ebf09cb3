"""Figure 4, ROC curves and risk-coverage curves, drawn from the rows of the tables."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.paper.quantities import NO_DETECTOR, POOLED
from experiments.paper.results import CLEAN, NO_REFORMER
from experiments.paper.tables import PERFECT, Row

__all__ = ["INK", "figure_bytes", "figure_4", "risk_coverage_figure", "roc_figure"]

INK = "#1f2933"
_SOFT = "#52606d"
_GRID = "#e4e7eb"
_BLUE, _ORANGE, _GREEN, _SKY, _GRAY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#7b8794"

# Color tells the network, the kind of line what it sees: image dotted, unshifted dashed, shifted full.
_LINES: dict[str, dict[str, Any]] = {
    "Autoencoder I": {"color": _GRAY, "linestyle": ":"},
    "Autoencoder II": {"color": _GRAY, "linestyle": "--"},
    "UNet image": {"color": _BLUE, "linestyle": ":"},
    "DenseNet image": {"color": _ORANGE, "linestyle": ":"},
    "UNet unshifted": {"color": _BLUE, "linestyle": "--"},
    "DenseNet unshifted": {"color": _ORANGE, "linestyle": "--"},
    "UNet shifted": {"color": _BLUE},
    "DenseNet shifted": {"color": _ORANGE},
    "divergence": {"color": _GREEN},
    "UNet shifted + divergence": {"color": INK},
    PERFECT: {"color": _SOFT, "linestyle": (0, (1, 1)), "linewidth": 1.0},
}
_PAIRS = {
    "MagNet": _GRAY,
    "autoencoder detector, UNet or DenseNet reformer": _SKY,
    "shifted detector, autoencoder reformer": _ORANGE,
    "shifted detector, UNet or DenseNet reformer": _BLUE,
    "beyond the paper": _GREEN,
}
_PAIRS_OF_THE_PAPER = 16


def figure_bytes(figure: Figure) -> dict[str, bytes]:
    """Encode a figure as ``png`` and ``svg``, the same bytes for the same figure."""
    encoded = {}
    # Without these SVG carries random names and the time.
    metadata: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    with rc_context({"svg.hashsalt": "monai_advdefense"}):
        for kind, entries in metadata.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=entries, facecolor="white")
            encoded[kind] = buffer.getvalue()
            # What was laid out once need not be so again.
            figure.set_layout_engine("none")
    return encoded


def figure_4(rows: Sequence[Row], targets: Sequence[str], *, narrow: bool = False) -> Figure:
    """Draw the Dice of the accepted slices of each pair, with their share, against no defence.

    Args:
        rows: rows of :func:`~experiments.paper.tables.guard_rows`.
        targets: the target networks, one panel each.
        narrow: for a phone: panels under each other.
    """
    size = (3.9, 0.7 + 3.9 * len(targets)) if narrow else (3.0 + 3.1 * len(targets), 5.9)
    figure = Figure(figsize=size, dpi=180 if narrow else 150, layout="constrained")
    count = 1 if narrow else len(targets)
    grid = figure.add_gridspec(len(targets) // count, 2 * count, width_ratios=[2.6, 1] * count)
    for place, target in enumerate(targets):
        chosen = [row for row in rows if row["target"] == target and _is_full(row) and row["pair"]]
        dice_axes = figure.add_subplot(grid[place // count, 2 * (place % count)])
        coverage_axes = figure.add_subplot(grid[place // count, 2 * (place % count) + 1])
        dice_axes.set_title(f"{target} target", fontsize=10, color=INK, loc="left", fontweight="bold")
        _dice_panel(dice_axes, chosen, [row for row in rows if row["target"] == target])
        _coverage_panel(coverage_axes, chosen)
        dice_axes.set_xlabel("Dice" if narrow else "Dice of accepted slices", fontsize=8.5, color=INK)
        dice_axes.set_yticks(range(len(chosen)), ["" if place % count else _pair_name(row, narrow) for row in chosen])
    _legend(figure, narrow, columns=1 if narrow else 3)
    return figure


def roc_figure(rows: Sequence[Row], targets: Sequence[str], *, narrow: bool = False) -> Figure:
    """Draw the ROC curves of the detectors, one panel for each target network.

    Args:
        rows: rows of :func:`~experiments.paper.tables.roc_rows`.
        targets: the target networks.
        narrow: for a phone: panels under each other.
    """
    figure, panels = _panels(targets, narrow, ("False positive rate", "True positive rate"))
    for axes, target in zip(panels, targets, strict=True):
        axes.plot([0, 1], [0, 1], color=_SOFT, linewidth=0.8, linestyle=(0, (1, 3)), label="chance")
        axes.axvline(0.05, color=_SOFT, linewidth=0.8)
        axes.annotate("5 %", (0.05, 0.02), (3, 0), textcoords="offset points", fontsize=7.5, color=_SOFT)
        _curves(axes, rows, target, "false_positive_rate", "true_positive_rate")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    _legend(figure, narrow, columns=2 if narrow else 6)
    return figure


def risk_coverage_figure(rows: Sequence[Row], targets: Sequence[str], *, narrow: bool = False) -> Figure:
    """Draw the share of bad slices among the accepted ones at each coverage, one panel for each target network.

    Args:
        rows: rows of :func:`~experiments.paper.tables.risk_coverage_rows`.
        targets: the target networks.
        narrow: for a phone: panels under each other.
    """
    figure, panels = _panels(targets, narrow, ("Coverage: share of slices accepted", "Bad among the accepted"))
    highest = max((float(row["risk"]) for row in rows), default=1.0) or 1.0
    for axes, target in zip(panels, targets, strict=True):
        _curves(axes, rows, target, "coverage", "risk")
        axes.set(xlim=(0, 1.01), ylim=(-0.02 * highest, 1.04 * highest))
    _legend(figure, narrow, columns=2 if narrow else 6)
    return figure


def _is_full(row: Row) -> bool:
    return (row["form"], row["type"], row["strength"], row["support"]) == ("dag", POOLED, "1", "brain")


def _kind(row: Row) -> str:
    if int(row["pair"]) > _PAIRS_OF_THE_PAPER:
        return "beyond the paper"
    detector, reformer = (row[name].startswith("Autoencoder") for name in ("detector", "reformer"))
    return list(_PAIRS)[2 * (not detector) + (not reformer)]


def _pair_name(row: Row, narrow: bool) -> str:
    name = f"{row['detector']} → {row['reformer']}  {row['pair']}"
    if narrow:
        name = name.replace("Autoencoder", "AE")
        name = name.replace(" → ", "\n→ ") if len(name) > 34 else name
    return name


def _dice_panel(axes: Axes, chosen: Sequence[Row], rows: Sequence[Row]) -> None:
    _reference(axes, rows, _is_full, color=INK, linestyle="--", label="no defence, attacked")
    _reference(axes, rows, lambda row: row["form"] == CLEAN, color=INK, linestyle=":", label="no defence, clean")
    for kind, color in _PAIRS.items():
        places = [place for place, row in enumerate(chosen) if _kind(row) == kind and row["dice"]]
        if places:
            values = [float(chosen[place]["dice"]) for place in places]
            ends = [[float(chosen[place][f"dice_{end}"] or "nan") for place in places] for end in ("low", "high")]
            # A percentile interval need not hold the estimate.
            spans = [
                [max(0.0, value - low) for value, low in zip(values, ends[0], strict=True)],
                [max(0.0, high - value) for value, high in zip(values, ends[1], strict=True)],
            ]
            style: dict[str, Any] = {"fmt": "o", "color": color, "markersize": 5, "elinewidth": 1.4, "label": kind}
            axes.errorbar(values, places, xerr=spans, **style)
    for place, row in enumerate(chosen):
        if not row["dice"]:
            axes.text(0.02, place, "none accepted", fontsize=7, color=_SOFT, va="center")
    _pair_axis(axes, chosen)
    axes.set_xlim(0, 1)


def _reference(axes: Axes, rows: Sequence[Row], is_wanted: Any, **style: Any) -> None:
    for row in rows:
        if (row["detector"], row["reformer"]) == (NO_DETECTOR, NO_REFORMER) and is_wanted(row):
            axes.axvline(float(row["dice"]), linewidth=1.1, zorder=0, **style)


def _coverage_panel(axes: Axes, chosen: Sequence[Row]) -> None:
    values = [float(row["coverage"]) for row in chosen]
    axes.barh(range(len(chosen)), values, height=0.62, color=[_PAIRS[_kind(row)] for row in chosen], alpha=0.45)
    for place, value in enumerate(values):
        axes.text(0.04, place, f"{100 * value:.0f} %", fontsize=7, color=INK, va="center")
    _pair_axis(axes, chosen)
    axes.set_yticks([])
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 1], ["0", "1"])
    axes.set_xlabel("Coverage", fontsize=8.5, color=INK)


def _pair_axis(axes: Axes, chosen: Sequence[Row]) -> None:
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    for place in range(4, len(chosen), 4):
        if place <= _PAIRS_OF_THE_PAPER:
            axes.axhline(place - 0.5, color=_GRID, linewidth=0.9, zorder=0)
    _plain(axes)
    axes.tick_params(axis="y", length=0, labelsize=7.5)


def _panels(targets: Sequence[str], narrow: bool, labels: tuple[str, str]) -> tuple[Figure, list[Axes]]:
    count = len(targets)
    size = (3.7, 1.3 + 3.3 * count) if narrow else (0.6 + 3.3 * count, 4.3)
    figure = Figure(figsize=size, dpi=180 if narrow else 150, layout="constrained")
    grid = figure.subplots(count if narrow else 1, 1 if narrow else count, squeeze=False)
    panels = list(grid.flat)
    for place, (axes, target) in enumerate(zip(panels, targets, strict=True)):
        axes.set_title(f"{target} target", fontsize=10, color=INK, loc="left", fontweight="bold")
        axes.set_xlabel(labels[0], fontsize=8.5, color=INK)
        if narrow or not place:
            axes.set_ylabel(labels[1], fontsize=8.5, color=INK)
        axes.grid(color=_GRID, linewidth=0.8)
        _plain(axes)
    return figure, panels


def _plain(axes: Axes) -> None:
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color("#9aa5b1")


def _curves(axes: Axes, rows: Sequence[Row], target: str, x: str, y: str) -> None:
    here = [row for row in rows if row["target"] == target]
    for detector in sorted(dict.fromkeys(row["detector"] for row in here), key=lambda name: name == PERFECT):
        points = [(float(row[x]), float(row[y])) for row in here if row["detector"] == detector]
        style = {"linewidth": 1.6, **_LINES.get(detector, {"linestyle": "-."})}
        axes.plot(*zip(*points, strict=True), label=detector, **style)


def _legend(figure: Figure, narrow: bool, columns: int) -> None:
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
            frameon=False,
            labelcolor=INK,
        )
