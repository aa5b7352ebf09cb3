"""The rows of the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.defences.measured import Attacked, Measured
from experiments.defences.threats import Threat
from experiments.tables import Row, quantity_columns
from monai_advdefense.metrics import SubjectResampling

__all__ = ["BAD", "CLEAN", "RESAMPLES", "rows_of"]

RESAMPLES = 1000
BAD = 0.1
"""A slice or structure whose Dice has fallen by more is bad."""
CLEAN = "none"
"""The threat without attack."""


def rows_of(
    name: str, measured: Measured, threats: Sequence[Threat], subjects: Sequence[str], *, passes: float
) -> list[Row]:
    """One row without attack and one for each budget of each threat.

    Args:
        name: of the defence.
        measured: the defence under attack.
        threats: what it was attacked by.
        subjects: subject of each slice.
        passes: see :func:`~experiments.defences.passes.passes`.
    """
    first: Row = {"defence": name, "passes": passes}
    rows = [_row({**first, "threat": CLEAN, "budget": 0.0}, measured.clean, measured, subjects)]
    for threat in threats:
        for budget, attacked in zip(threat.budgets, measured.attacked[threat.name], strict=True):
            rows.append(_row({**first, "threat": threat.name, "budget": budget}, attacked, measured, subjects))
    return rows


def _row(names: Row, attacked: Attacked, measured: Measured, subjects: Sequence[str]) -> Row:
    resampling = SubjectResampling(subjects, resamples=RESAMPLES)
    # What does not pass is NaN, which is not below anything.
    bad = attacked.dice < measured.dice - BAD
    lost = attacked.structures < measured.structures - BAD
    quantities = {
        "dice": resampling.mean(attacked.dice),
        "accepted": resampling.mean(attacked.accepted.astype(float)),
        "accepted_and_bad": resampling.mean(bad.astype(float)),
        "structures_bad": resampling.mean(lost.sum(1) / np.isfinite(measured.structures).sum(1)),
    }
    return {**names, **quantity_columns(quantities)}
