"""Numbers of the tables as cells of a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from experiments.attacks import INFORMED
from experiments.tables import CLEAN

_STRENGTHS = {"1": "γ", "0.5": "γ/2", "0.125": "γ/8"}
_BUDGETS = {"1": "norm of DAG A", "0.333333": "a third of it", "0.1": "a tenth of it"}

# A larger share of resamples without a figure than this is marked.
_MOST_DROPPED = 0.05


def cell(row: Mapping[Any, Any] | None, name: str, resamples: int) -> str:
    """A quantity with its interval, ``0.950 [0.900, 0.980]``; a dash where it is not defined or not measured.

    Words are shown as they are.
    An asterisk marks an interval from less than 95 % of the resamples.

    Example:
        >>> cell({"auc": 0.95, "auc_low": 0.9, "auc_high": 0.98}, "auc", 1000)
        '0.950 [0.900, 0.980]'
    """
    if row is None or pd.isna(row.get(name)):
        return "–"
    if isinstance(row[name], str):
        return str(row[name])
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or pd.isna(low):
        return f"{row[name]:.3f}"
    # Without any, or NaN, the comparison is false.
    mark = "*" if row.get(f"{name}_dropped", 0) > _MOST_DROPPED * resamples else ""
    return f"{row[name]:.3f} [{low:.3f}, {high:.3f}]{mark}"


def strength_label(strength: float) -> str:
    """Step size of DAG, for example ``γ/2``."""
    return _STRENGTHS.get(f"{strength:g}", f"{strength:g} γ")


def budget_label(strength: float) -> str:
    """L2 norm of the informed attacker."""
    return _BUDGETS.get(f"{strength:g}", f"{strength:g} of the norm of DAG A")


def attack_label(row: Mapping[Any, Any]) -> str:
    """What a reader calls an attack, for example ``DAG A, γ, brain only``."""
    form, kind = row["form"], row["type"] if "type" in row else row["target"]
    if form == CLEAN:
        return "no attack"
    where = "brain only" if row["support"] == "brain" else "whole image"
    strength = row["strength"]
    labels = {
        "dag": f"DAG {kind}, {strength_label(strength)}, {where}",
        "noise": f"noise of the norm of DAG {kind}, {strength_label(strength)}",
        "xie": "DAG as Xie et al.",
        "corruption": str(kind),
        INFORMED: f"informed attacker of {kind}, {budget_label(strength)}",
    }
    radius = "8/255" if strength == 1 else f"{strength:g} of 8/255"
    return labels.get(form, f"{form.upper()}, {radius}, {where}")
