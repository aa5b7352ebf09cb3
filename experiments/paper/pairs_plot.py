"""Figure 4: every pair of detector and reformer, drawn from Table 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.paper.names import NO_DETECTOR, NO_REFORMER, POOLED
from experiments.paper.plot_style import GRID, INK, PALETTE, SOFT, STYLE, shared_legend
from experiments.tables import CLEAN, select

_KINDS = {
    "MagNet": PALETTE["gray"],
    "autoencoder detector, UNet or DenseNet reformer": PALETTE["sky"],
    "shifted detector, autoencoder reformer": PALETTE["orange"],
    "shifted detector, UNet or DenseNet reformer": PALETTE["blue"],
    "beyond the paper": PALETTE["green"],
}
_PAIRS_OF_THE_PAPER = 16
_FULL: dict[str, Any] = {"form": "dag", "type": POOLED, "strength": 1.0, "support": "brain"}


@rc_context(fname=STYLE)
def pairs_plot(rows: pd.DataFrame, targets: Sequence[str]) -> Figure:
    """Draw the Dice of the accepted slices of each pair, with their share, against no defence."""
    figure = Figure(figsize=(3.0 + 3.1 * len(targets), 5.9), layout="constrained")
    panels = figure.subplots(1, 2 * len(targets), width_ratios=[2.6, 1] * len(targets), squeeze=False)
    for dice_axes, coverage_axes, target in zip(panels[0, ::2], panels[0, 1::2], targets, strict=True):
        here = select(rows, target=target)
        pairs = select(here, **_FULL).dropna(subset="pair")
        pairs = pairs.assign(place=range(len(pairs)), kind=[_kind(row) for _, row in pairs.iterrows()])
        dice_axes.set(title=f"{target} target", xlabel="Dice of accepted slices")
        _dice_panel(dice_axes, pairs, select(here, detector=NO_DETECTOR, reformer=NO_REFORMER))
        _coverage_panel(coverage_axes, pairs)
        names = [f"{row['detector']} → {row['reformer']}  {row['pair']:.0f}" for _, row in pairs.iterrows()]
        dice_axes.set_yticks(range(len(pairs)), names if target == targets[0] else [""] * len(pairs))
    shared_legend(figure, columns=3)
    return figure


def _kind(row: pd.Series) -> str:
    if row["pair"] > _PAIRS_OF_THE_PAPER:
        return "beyond the paper"
    detector, reformer = (row[name].startswith("Autoencoder") for name in ("detector", "reformer"))
    return list(_KINDS)[2 * (not detector) + (not reformer)]


def _dice_panel(axes: Axes, pairs: pd.DataFrame, bare: pd.DataFrame) -> None:
    lines = (
        ("--", "no defence, attacked", select(bare, **_FULL)),
        (":", "no defence, clean", select(bare, form=CLEAN)),
    )
    for line, label, rows in lines:
        for dice in rows["dice"]:
            axes.axvline(dice, linewidth=1.1, zorder=0, color=INK, linestyle=line, label=label)
    known = pairs.dropna(subset="dice")
    for kind, color in _KINDS.items():
        here = select(known, kind=kind)
        # A percentile interval need not hold the estimate.
        spans = np.clip([here["dice"] - here["dice_low"], here["dice_high"] - here["dice"]], 0, None)
        style: dict[str, Any] = {"fmt": "o", "color": color, "markersize": 5, "elinewidth": 1.4, "label": kind}
        if len(here):
            axes.errorbar(here["dice"], here["place"], xerr=np.nan_to_num(spans), **style)
    for place in pairs["place"][pairs["dice"].isna()]:
        axes.text(0.02, place, "none accepted", fontsize=7, color=SOFT, va="center")
    _pair_axis(axes, len(pairs))
    axes.set_xlim(0, 1)


def _coverage_panel(axes: Axes, pairs: pd.DataFrame) -> None:
    colors = [_KINDS[kind] for kind in pairs["kind"]]
    axes.barh(pairs["place"], pairs["coverage"], height=0.62, color=colors, alpha=0.45)
    for place, value in zip(pairs["place"], pairs["coverage"], strict=True):
        axes.text(0.04, place, f"{100 * value:.0f} %", fontsize=7, color=INK, va="center")
    _pair_axis(axes, len(pairs))
    axes.set(yticks=[], xlim=(0, 1), xlabel="Coverage")
    axes.set_xticks([0, 1], ["0", "1"])


def _pair_axis(axes: Axes, count: int) -> None:
    axes.set_ylim(count - 0.4, -0.6)
    for place in range(4, min(count, _PAIRS_OF_THE_PAPER + 1), 4):
        axes.axhline(place - 0.5, color=GRID, linewidth=0.9, zorder=0)
    axes.tick_params(axis="y", length=0, labelsize=7.5)
