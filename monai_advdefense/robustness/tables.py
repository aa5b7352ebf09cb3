"""The figures of a report as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["to_csv"]

_COLUMNS = ("kind", "name", "level", "change", "structure", "dice", "low", "high", "rejected", "accepted_and_bad")


def to_csv(report: Mapping[str, Any]) -> str:
    """One line for each condition, level and structure; the structure ``mean`` is the mean over all.

    Columns: ``kind`` (clean, worst case, attack, guard attack, corruption), ``name``, ``level`` (budget of an attack,
    wanted change of a corruption), ``change`` (L2 norm of the difference over that of the image, mean over images),
    ``structure``, ``dice`` with the ends ``low`` and ``high`` of its 95 % interval, ``rejected`` and
    ``accepted_and_bad`` (shares of images, with a guard).

    Args:
        report: what :func:`~monai_advdefense.robustness.robustness_report` returns.
    """
    table = io.StringIO()
    writer = csv.DictWriter(table, _COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for kind, name, level in _levels(report):
        for structure, dice in {"mean": level["dice"], **level["structures"]}.items():
            row = {"kind": kind, "name": name, "structure": structure}
            row |= {column: level[column] for column in ("level", "change") if column in level}
            row |= {"dice": dice["estimate"], "low": dice["low"], "high": dice["high"]}
            if structure == "mean":
                row |= {column: level[column] for column in ("rejected", "accepted_and_bad") if column in level}
            writer.writerow({column: _cell(value) for column, value in row.items()})
    return table.getvalue()


def _levels(report: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    yield "clean", "clean", report["claims"]["clean"]
    yield from (("worst case", "all attacks", level) for level in report["claims"]["worst_case"])
    guard = report["guard"]["attacks_that_know_it"] if report["guard"] else []
    for kind, found in (("attack", report["attacks"]), ("guard attack", guard), ("corruption", report["corruptions"])):
        yield from ((kind, one["name"], level) for one in found for level in one["levels"])


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
