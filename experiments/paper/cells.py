"""Rows of the tables as cells of a page."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.paper.tables import Row

__all__ = ["attack_name", "budget_name", "cell", "pick", "pivot", "read_rows", "strength_name"]

_STRENGTHS = {"1": "γ", "0.5": "γ/2", "0.125": "γ/8"}
_BUDGETS = {"1": "norm of DAG A", "0.333333": "a third of it", "0.1": "a tenth of it"}

# A larger share of resamples without a figure than this is marked.
_MOST_DROPPED = 0.05


def read_rows(path: Path) -> list[Row]:
    """Read what :func:`~experiments.page.write_rows` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cell(row: Mapping[str, str] | None, name: str, resamples: int) -> str:
    """A figure with its interval, ``0.950 [0.900, 0.980]``; a dash where it is not defined or not measured.

    An asterisk marks an interval from less than 95 % of the resamples.

    Example:
        >>> cell({"auc": "0.95", "auc_low": "0.9", "auc_high": "0.98"}, "auc", 1000)
        '0.950 [0.900, 0.980]'
    """
    if row is None or not row.get(name):
        return "–"
    estimate, low, high = (row.get(name + end, "") for end in ("", "_low", "_high"))
    if not low:
        return f"{float(estimate):.3f}"
    mark = "*" if int(row.get(f"{name}_dropped") or 0) > _MOST_DROPPED * resamples else ""
    return f"{float(estimate):.3f} [{float(low):.3f}, {float(high):.3f}]{mark}"


def pick(rows: Sequence[Row], **wanted: str) -> Row | None:
    """The first row with these entries."""
    return next((row for row in rows if all(row[name] == value for name, value in wanted.items())), None)


def pivot(
    rows: Sequence[Row],
    name: str,
    lines: Sequence[Mapping[str, str]],
    columns: Sequence[Mapping[str, str]],
    resamples: int,
) -> list[list[str]]:
    """One figure of many rows as a table: lines and columns tell which entries a row must have."""
    keys = list(dict.fromkeys(key for wanted in (*lines, *columns) for key in wanted))
    index = {tuple(row[key] for key in keys): row for row in reversed(rows)}
    return [
        [cell(index.get(tuple({**line, **column}[key] for key in keys)), name, resamples) for column in columns]
        for line in lines
    ]


def strength_name(strength: str) -> str:
    """Step size of DAG, for example ``γ/2``."""
    return _STRENGTHS.get(strength, f"{strength} γ")


def budget_name(strength: str) -> str:
    """L2 norm of the attacker who knows the guard."""
    return _BUDGETS.get(strength, f"{strength} of the norm of DAG A")


def attack_name(row: Mapping[str, str]) -> str:
    """What a reader calls an attack, for example ``DAG A, γ, brain only``."""
    where = "brain only" if row["support"] == "brain" else "whole image"
    if row["form"] == "dag":
        return f"DAG {row['type']}, {strength_name(row['strength'])}, {where}"
    if row["form"] == "noise":
        return f"noise of the norm of DAG {row['type']}, {strength_name(row['strength'])}"
    if row["form"] == "selective_pgd":
        return f"knows {row['type']}, {budget_name(row['strength'])}"
    if row["form"] in ("fgsm", "pgd"):
        radius = "8/255" if row["strength"] == "1" else f"{row['strength']} of 8/255"
        return f"{row['form'].upper()}, {radius}, {where}"
    if row["form"] == "xie":
        return "DAG as Xie et al."
    return " ".join(filter(None, (row["form"], row["type"], row["strength"], row["support"])))
