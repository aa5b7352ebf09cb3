"""Tables of numbers: quantities as columns, and tables as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.attacks import AttackSetting
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.metrics import Resampled

CLEAN = "clean"
"""Form and name of the attack on clean slices: none."""

Facts = dict[str, str]
Row = dict[str, str | float | None]


def quantity_columns(quantities: Mapping[str, Resampled], *, dropped: bool = True) -> Row:
    """Columns of each quantity: estimate, lower and upper end of its 95 % interval, NaN where it is not defined.

    Args:
        quantities: by name.
        dropped: a fourth column, ``_dropped``, counts the resamples on which the quantity is not defined, if some are.
    """
    row: Row = {}
    for name, quantity in quantities.items():
        interval = quantity.interval()
        row |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
        if dropped and interval.dropped and np.isfinite(interval.low):
            row[f"{name}_dropped"] = interval.dropped
    return row


def write_tables(tables: Mapping[str, pd.DataFrame | Facts], folder: Path) -> None:
    """Write each table as CSV, numbers with six significant digits, what is not defined empty; whole or not at all."""
    for name, table in tables.items():
        frame = pd.DataFrame([table]) if isinstance(table, dict) else table
        with atomic_path(folder / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def read_table(path: Path) -> pd.DataFrame:
    """Read what :func:`write_tables` wrote.

    Where columns name an attack, a further one, ``attack``, has the name of its setting, or ``CLEAN``.
    """
    table = pd.read_csv(path, keep_default_na=False, na_values=["", "nan"])
    words = table.select_dtypes(exclude="number").columns
    table[words] = table[words].fillna("")
    if {"form", "strength", "support"} <= set(table.columns):
        table["attack"] = _attacks(table)
    return table


def read_facts(path: Path) -> Facts:
    """Read a table of one row as text."""
    return {str(name): str(text) for name, text in pd.read_csv(path, dtype=str, keep_default_na=False).iloc[0].items()}


def select(table: pd.DataFrame, **wanted: str | float) -> pd.DataFrame:
    """Rows with these entries."""
    return table[table[list(wanted)].eq(pd.Series(wanted, dtype=object)).all(axis=1)]


def _attacks(table: pd.DataFrame) -> list[str]:
    """Name of each row's attack."""
    target = "type" if "type" in table else "target"
    settings = zip(*(table[name] for name in ("form", target, "strength", "support")), strict=True)
    return [CLEAN if form == CLEAN else AttackSetting(form, *others).name for form, *others in settings]
