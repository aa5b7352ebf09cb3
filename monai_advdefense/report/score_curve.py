"""The scores of a volume, slice by slice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monai_advdefense.report.axis_ticks import axis_ticks
from monai_advdefense.report.case import Case, SliceRecord
from monai_advdefense.report.charts import DECISION_COLORS, INK
from monai_advdefense.report.templating import page_template

__all__ = ["score_curve"]

_DIRECTION = {"x": "left to right", "y": "posterior to anterior", "z": "inferior to superior"}
_WORDS = {
    "accepted": "accepted",
    "rejected": "rejected",
    "not_checked": "not checked",
    "unknown": "score not a number",
    "threshold": "threshold",
}
_LETTER = 7.0
_ROW = 22


@dataclass(frozen=True)
class _Frame:
    """Where values lie in the picture: between ``left`` and ``right``, ``top`` and ``bottom``."""

    left: float
    right: float
    top: float
    bottom: float
    slices: int
    scores: tuple[float, float]

    def x(self, index: float) -> float:
        return round(self.left + (index + 1) / (max(self.slices, 1) + 1) * (self.right - self.left), 1)

    def y(self, score: float) -> float:
        low, high = self.scores
        return round(self.bottom - (score - low) / (high - low) * (self.bottom - self.top), 1)


def score_curve(case: Case, *, narrow: bool = False) -> str:
    """Draw the score of every slice, the threshold, and what was rejected, as SVG.

    Args:
        case: the scores.
        narrow: for a phone: less wide, fewer ticks.
    """
    width, height = (350, 390) if narrow else (1000, 370)
    finite = [record for record in case.judged if math.isfinite(record.score)]
    threshold = [case.threshold] if math.isfinite(case.threshold) else []
    marked = _marked(case, finite)
    legend, below = _legend([*marked, *(["threshold"] if threshold else [])], width)
    scores = _range([record.score for record in finite] + threshold)
    frame = _Frame(58, width - 14, below + 54, height - 46, len(case.slices), scores)
    intervals = 5 if narrow else 12
    # Whole numbers between these are slices.
    ends = (-0.5, max(len(case.slices), 1) - 0.5)
    return page_template("score_curve.svg.j2").render(
        width=width,
        height=height,
        left=frame.left,
        right=frame.right,
        top=frame.top,
        bottom=frame.bottom,
        ink=INK,
        colors={**DECISION_COLORS, "unknown": DECISION_COLORS["not_checked"]},
        words=_WORDS,
        legend=legend,
        numbers=[(frame.x(tick), text) for tick, text in axis_ticks(*ends, intervals, whole=True)],
        scores=[(frame.y(tick), text) for tick, text in axis_ticks(*scores, 7)],
        axis=case.position_axis,
        **_positions(case, frame, intervals, ends),
        curve=_curve(finite, frame),
        threshold=frame.y(threshold[0]) if threshold else None,
        marks={name: [_place(record, frame) for record in records] for name, records in marked.items()},
    )


def _marked(case: Case, finite: Sequence[SliceRecord]) -> dict[str, list[SliceRecord]]:
    """The slices that have a mark, by its kind."""
    unknown = [record for record in case.slices if not math.isfinite(record.score)]
    kinds = {name: [record for record in finite if record.decision == name] for name in _WORDS}
    return {name: records for name, records in {**kinds, "unknown": unknown}.items() if records}


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    # Not below 0 for scores that cannot be, with room for markers where they can.
    return low - margin if low < 0 else max(low - margin, 0.0), high + margin


def _place(record: SliceRecord, frame: _Frame) -> tuple[float, float]:
    """Where the mark of a slice stands; one without a score stands at the bottom."""
    known = math.isfinite(record.score)
    return frame.x(record.index), frame.y(record.score) if known else frame.bottom - 8


def _curve(records: Sequence[SliceRecord], frame: _Frame) -> str:
    """Line through neighboring slices; it has gaps where slices are left out."""
    parts, before = [], None
    for record in records:
        x, y = _place(record, frame)
        parts.append(f"{'L' if before == record.index - 1 else 'M'}{x} {y}")
        before = record.index
    return "".join(parts)


def _legend(names: Sequence[str], width: int) -> tuple[list[tuple[str, float, float]], float]:
    """Place of each entry, in rows that are as long as the picture is wide, and where they end."""
    places, x, y = [], 8.0, 14.0
    for name in names:
        length = 44 + _LETTER * len(_WORDS[name])
        if x > 8 and x + length > width:
            x, y = 8.0, y + _ROW
        places.append((name, x, y))
        x += length
    return places, y


def _positions(case: Case, frame: _Frame, intervals: int, ends: tuple[float, float]) -> dict[str, object]:
    """World positions along the top where the slices are an even row."""
    number = len(case.slices)
    step = (case.slices[-1].position_mm - case.slices[0].position_mm) / (number - 1) if number > 1 else 0.0
    if step == 0:
        return {"positions": [], "direction": ""}
    start = case.slices[0].position_mm
    low, high = sorted(start + step * index for index in ends)
    words = _DIRECTION[case.position_axis]
    return {
        "positions": [(frame.x((tick - start) / step), text) for tick, text in axis_ticks(low, high, intervals)],
        "direction": words if step > 0 else " to ".join(reversed(words.split(" to "))),
    }
