"""How the scores of many volumes are distributed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monai_advdefense.report.case import Decision
from monai_advdefense.report.charts import DECISION_COLORS, INK
from monai_advdefense.report.group import GroupEntry

__all__ = ["BAR", "HEIGHT", "WIDTH", "histogram_paths", "score_counts", "score_edges", "score_histogram"]

_BINS = 48
_DECISIONS: tuple[Decision, ...] = ("accepted", "rejected", "not_checked")
WIDTH, HEIGHT, BAR = 144, 30, 5
"""Size of a small histogram and width of its bars in its own units."""


def score_edges(entries: Sequence[GroupEntry]) -> NDArray[np.float64]:
    """Edges ``(49,)`` of the bins that all histograms of a group share.

    They begin at the lowest score and end at the highest, but not so far beyond the threshold that it would come to
    lie in the first third: very high scores are counted in the last bin.
    """
    scores = [score for entry in entries for score in entry.scores]
    thresholds = [entry.threshold for entry in entries if math.isfinite(entry.threshold)]
    low, high = min([*scores, *thresholds], default=0.0), max([*scores, *thresholds], default=1.0)
    limit = max(thresholds, default=high)
    if limit > low:
        high = min(high, low + 3 * (limit - low))
    margin = 0.02 * (high - low) or 0.1 * abs(high) or 0.5
    return np.linspace(low - margin, high + margin, _BINS + 1)


def score_counts(entries: Sequence[GroupEntry], edges: NDArray[np.float64]) -> dict[Decision, NDArray[np.int64]]:
    """Number of slices ``(48,)`` of each decision per bin; blank ones and scores that are not finite are left out."""
    records = [record for entry in entries for record in entry.records if math.isfinite(record.score)]
    return {
        decision: np.histogram(
            np.clip([record.score for record in records if record.decision == decision], edges[0], edges[-1]), edges
        )[0]
        for decision in _DECISIONS
    }


def _beyond(entries: Sequence[GroupEntry], edges: NDArray[np.float64]) -> dict[Decision, int]:
    """Number of slices of each decision whose score is higher than the last edge."""
    records = [record for entry in entries for record in entry.records if record.score > edges[-1]]
    return {decision: sum(record.decision == decision for record in records) for decision in _DECISIONS}


def histogram_paths(entry: GroupEntry, edges: NDArray[np.float64]) -> dict[str, str]:
    """The histogram of one volume as SVG paths in a box of 144 x 30, and ``threshold``; two bins make a bar.

    A bar is a line of the width :data:`BAR`, so that thousands of volumes fit on a page. The highest one fills the box;
    a bar of few slices is 3 high at least, so that it is seen.

    Args:
        entry: the volume.
        edges: of the bins, ``(49,)``.
    """
    paths: dict[str, str] = {}
    bars = _BINS // 2
    base = np.zeros(bars, dtype=int)
    counts = {decision: numbers.reshape(bars, 2).sum(1) for decision, numbers in score_counts([entry], edges).items()}
    top = max(int(sum(counts.values()).max()), 1)  # type: ignore[union-attr]
    for decision, numbers in counts.items():
        heights = np.where(numbers > 0, np.maximum(np.rint((HEIGHT - 4) * numbers / top), 3), 0).astype(int)
        paths[decision] = "".join(
            f"M{(2 * bar + 1) * WIDTH // (2 * bars)} {HEIGHT - below}v-{height}"
            for bar, (height, below) in enumerate(zip(heights, base, strict=True))
            if height
        )
        base += heights
    if math.isfinite(entry.threshold):
        x = WIDTH * (entry.threshold - edges[0]) / (edges[-1] - edges[0])
        paths["threshold"] = f"M{x:.4g} 0V{HEIGHT}"
    return {name: path for name, path in paths.items() if path}


def score_histogram(entries: Sequence[GroupEntry], *, narrow: bool = False) -> Figure:
    """Draw how the scores of all slices of all volumes are distributed, and the threshold.

    Args:
        entries: the volumes.
        narrow: for a phone: less wide, fewer ticks.
    """
    figure = Figure(figsize=(3.5, 3.0) if narrow else (10.0, 3.0), dpi=160, layout="constrained")
    axes = figure.subplots()
    edges = score_edges(entries)
    left, width = np.append(edges[:-1], edges[-1] + np.diff(edges)[-1]), float(np.diff(edges)[-1])
    base = np.zeros(_BINS + 1)
    beyond = _beyond(entries, edges)
    for decision, numbers in score_counts(entries, edges).items():
        # What lies beyond the scale stands apart from it.
        heights = np.append(numbers, beyond[decision])
        heights[-2] -= beyond[decision]
        if heights.any():
            label, color = decision.replace("_", " "), DECISION_COLORS[decision]
            axes.bar(left, heights, 0.9 * width, base, align="edge", color=color, label=label, gid=decision)
            base += heights
    for index, threshold in enumerate(sorted({e.threshold for e in entries if math.isfinite(e.threshold)})):
        axes.axvline(
            threshold, color=INK, linewidth=1.2, linestyle=(0, (5, 3)), label="" if index else "threshold", gid="limit"
        )
    axes.set_xlim(edges[0], left[-1] + 2 * width if base[-1] else edges[-1])
    axes.set_ylim(0, 1.05 * base.max() or None)
    axes.set_xlabel("Score (no unit)", fontsize=10, color=INK)
    axes.set_ylabel("Slices", fontsize=10, color=INK)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=INK)
    axes.locator_params(axis="x", nbins=5 if narrow else 12)
    if base[-1]:
        _name_the_last_bar(axes, left[-1] + width / 2, edges[-1])
    axes.locator_params(axis="y", nbins=5, integer=True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", ncols=2 if narrow else 5, fontsize=9, frameon=False, labelcolor=INK)
    return figure


def _name_the_last_bar(axes: Axes, middle: float, last: float) -> None:
    """Tell under the bar of what lies beyond the scale that it is no part of it."""
    first = axes.get_xlim()[0]
    ticks = [tick for tick in axes.get_xticks() if first <= tick < last - 0.05 * (last - first)]
    axes.set_xticks([*ticks, middle], [*(f"{tick:g}" for tick in ticks), "more"])
