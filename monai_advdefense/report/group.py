"""What the guard found in many volumes."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from monai_advdefense.guard.batch_alarm import BatchFinding
from monai_advdefense.report.case import Case, SliceRecord

__all__ = ["GroupEntry", "GroupVerdict", "group_headline", "group_to_csv", "worst_first"]

GroupVerdict = Literal["failed", "reject", "review", "not_checked", "clean"]


@dataclass(frozen=True)
class GroupEntry:
    """One volume of a group.

    Attributes:
        name: path of the input below the folder of the inputs, with ``/``.
        case: scores and decisions; None if the volume failed.
        failure: why it failed; empty otherwise.
        report: path of the volume's own report below the folder of the results, with ``/``; empty if there is none.
        segmentation: path of its segmentation, likewise.
    """

    name: str
    case: Case | None = None
    failure: str = ""
    report: str = ""
    segmentation: str = ""

    @property
    def verdict(self) -> GroupVerdict:
        """The verdict of the case, or ``failed``."""
        return "failed" if self.case is None else self.case.verdict

    @cached_property
    def scores(self) -> tuple[float, ...]:
        """The finite scores of the slices that were judged."""
        return tuple(record.score for record in self.records if math.isfinite(record.score))

    @property
    def records(self) -> tuple[SliceRecord, ...]:
        """The slices that were judged, or could not be."""
        return () if self.case is None else self.case.judged

    @property
    def threshold(self) -> float:
        """Highest score that is accepted; not finite without a calibrated guard."""
        return math.nan if self.case is None else self.case.threshold

    @property
    def highest(self) -> float:
        """Highest score; NaN without any."""
        return max(self.scores, default=math.nan)

    @property
    def highest_to_threshold(self) -> float:
        """Highest score divided by the threshold; NaN unless the threshold is above 0."""
        return self.highest / self.threshold if self.threshold > 0 else math.nan

    @property
    def median(self) -> float:
        """Median score; NaN without any."""
        return statistics.median(self.scores) if self.scores else math.nan

    @property
    def rejected_share(self) -> float:
        """Share of the slices compared with the threshold that were rejected, in [0, 1]; NaN if none was compared."""
        return self.case.count("rejected") / self.case.checked if self.case and self.case.checked else math.nan

    @property
    def first_rejected(self) -> SliceRecord | None:
        """The first rejected slice."""
        return next((record for record in self.records if record.decision == "rejected"), None)


def worst_first(entries: Iterable[GroupEntry]) -> list[GroupEntry]:
    """Order volumes by how much they need a look.

    Failed ones come first, then those not to be used, then those to be looked at or not checked. Within each, those
    with the largest share of slices not accepted (rejected, or not checked), then those whose highest score exceeds the
    threshold most, or comes nearest to it.
    """

    def badness(entry: GroupEntry) -> tuple[int, float, float, str]:
        accepted = sum(record.decision == "accepted" for record in entry.records)
        share = accepted / len(entry.records) if entry.records else 0.0
        # The difference, because a combined score and its threshold can be negative.
        excess = entry.highest - entry.threshold
        return _RANKS[entry.verdict], share, -excess if math.isfinite(excess) else -math.inf, entry.name

    return sorted(entries, key=badness)


def group_headline(entries: Sequence[GroupEntry]) -> str:
    """The verdicts of all volumes in one plain sentence.

    Example:
        >>> group_headline([GroupEntry("a.nii.gz", failure="no image"), GroupEntry("b.nii.gz", failure="no image")])
        '2 of 2 volumes failed'
    """
    counts = {verdict: sum(entry.verdict == verdict for entry in entries) for verdict in _WORDS}
    if len(entries) < 2:
        return f"The only volume {_WORDS[entries[0].verdict][0]}" if entries else "No volume was processed"
    if counts["clean"] == len(entries):
        return f"All {len(entries)} volumes are clean"
    found = [(n, _WORDS[verdict][n > 1]) for verdict, n in counts.items() if n and verdict != "clean"]
    (number, words), *others = found
    return ", ".join([f"{number} of {len(entries)} volumes {words}", *(f"{n} {more}" for n, more in others)])


_WORDS: dict[GroupVerdict, tuple[str, str]] = {
    "reject": ("is not to be used", "are not to be used"),
    "review": ("needs a look", "need a look"),
    "not_checked": ("could not be checked", "could not be checked"),
    "failed": ("failed", "failed"),
    "clean": ("is clean", "are clean"),
}
_RANKS: dict[GroupVerdict, int] = {"failed": 0, "reject": 1, "review": 2, "not_checked": 2, "clean": 3}


def group_to_csv(entries: Iterable[GroupEntry], *, batch: BatchFinding | None = None) -> str:
    """One line per volume in the order given; values that are not finite or not known are empty.

    Columns: ``input``, ``verdict`` (failed, reject, review, not_checked, clean), ``cause`` (likely, see
    :mod:`monai_advdefense.guard.causes`), ``p_value`` (of a clean volume being as suspicious), ``expected_rejected``
    (slices of a clean volume), ``predicted_dice``, ``predicted_dice_low``, ``predicted_dice_high`` (ends of the
    interval), ``reason`` (of a failure), ``slices``, ``checked``, ``rejected``, ``not_checked``, ``not_judged``,
    ``blank`` (numbers of slices), ``rejected_share`` (of the checked),
    ``highest_score``, ``threshold``, ``highest_to_threshold``, ``median_score``, ``first_rejected_slice`` (from 0,
    preprocessed volume), ``report``, ``segmentation``, ``batch`` (whether the volumes together are suspicious, the same
    for all).
    """
    table, together = io.StringIO(), {"batch": "" if batch is None else batch.line}
    writer = csv.DictWriter(table, [*_csv_row(GroupEntry("")), *together], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**_csv_row(entry), **together} for entry in entries)
    return table.getvalue()


def _csv_row(entry: GroupEntry) -> dict[str, object]:
    case, first = entry.case, entry.first_rejected
    return {
        "input": entry.name,
        "verdict": entry.verdict,
        **_found_columns(case),
        "reason": entry.failure,
        "slices": case and len(case.slices),
        "checked": case and case.checked,
        "rejected": case and case.count("rejected"),
        "not_checked": case and case.count("not_checked"),
        "not_judged": case and case.count("not_judged"),
        "blank": case and case.count("blank"),
        "rejected_share": _finite(entry.rejected_share),
        "highest_score": _finite(entry.highest),
        "threshold": _finite(entry.threshold),
        "highest_to_threshold": _finite(entry.highest_to_threshold),
        "median_score": _finite(entry.median),
        "first_rejected_slice": first and first.index,
        "report": entry.report,
        "segmentation": entry.segmentation,
    }


def _found_columns(case: Case | None) -> dict[str, object]:
    """What a screen says of the volume; empty without one."""
    found, dice = (case.found, case.dice) if case else (None, None)
    mean, low, high = dice.volume if dice else (math.nan, math.nan, math.nan)
    return {
        "cause": found.cause if found else None,
        "p_value": _finite(found.p_value) if found else None,
        "expected_rejected": _finite(found.expected_rejected) if found else None,
        "predicted_dice": _finite(mean),
        "predicted_dice_low": _finite(low),
        "predicted_dice_high": _finite(high),
    }


def _finite(value: float) -> str | None:
    return f"{value:.9g}" if math.isfinite(value) else None
