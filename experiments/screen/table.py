"""The table of what the screen finds: one row for each condition, wanted beside measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.screen.conditions import ATTACKS, CLEAN, VOXEL_SIZES
from experiments.screen.examined import Examined
from experiments.screen.judged import judge_alone, judge_among_clean, judge_whole
from experiments.screen.measured import AMONG_CLEAN, Measured
from experiments.screen.predicted_dice import predicted_dice_columns
from experiments.screen.rows import Found, clean_row, found_row
from experiments.screen.targets import GROUPS, TARGETS
from experiments.tables import Row
from monai_advdefense.guard.screen import Screened

__all__ = ["screen_table"]


def screen_table(measured: Measured, left_out: Sequence[str], *, resamples: int, kept_only: bool) -> pd.DataFrame:
    """Judge all that was measured.

    Args:
        measured: the test split.
        left_out: verdicts of :func:`~experiments.screen.left_out.left_out_verdicts`; may be empty.
        resamples: number of bootstrap resamples.
        kept_only: tell only of conditions that were measured before.
    """
    cases, screen = measured.cases, measured.screen
    numbers = [measured.clean(case) for case in cases]
    clean = [judge_whole(screen, item) for item in numbers]
    rows: list[Row] = []
    for group, names in GROUPS.items():
        for name in names:
            if kept_only and not measured.is_kept(name):
                continue
            if name == CLEAN:
                subjects = [case["subject"] for case in cases]
                row = clean_row(clean, numbers, subjects, resamples)
                row |= predicted_dice_columns(numbers, clean, subjects, resamples)
                if left_out:
                    row["left_out_volumes"] = len(left_out)
                    row["left_out_not_clean"] = sum(verdict != "clean" for verdict in left_out)
            else:
                chosen = measured.cases_of(name)
                items = zip(cases, numbers, clean, strict=True)
                found = [_found(measured, *item, name) for item in items if item[0] in chosen]
                row = found_row(name, found, resamples, comparable=group != "pose")
            rows.append({"group": group, "condition": name, **row, **_wanted(name, row)})
    return pd.DataFrame(rows)


def _found(measured: Measured, case: dict[str, str], clean: Examined, said: Screened, name: str) -> Found:
    structure, screen = None, measured.screen
    if name in ATTACKS:
        part, chosen = measured.attacked(case, name)
        structure = chosen if ATTACKS[name].structure else None
    else:
        part = measured.spoilt(case, name)
    among_clean = name in ATTACKS or name in AMONG_CLEAN
    spoilt = judge_among_clean(screen, part, clean) if among_clean else judge_alone(screen, part, VOXEL_SIZES.get(name))
    return Found(case["subject"], said, clean, spoilt, part, among_clean, structure)


def _wanted(name: str, row: Row) -> Row:
    columns: Row = {}
    for target in TARGETS.get(name, ()):
        value = row.get(target.quantity)
        columns[f"{target.quantity}_wanted"] = str(target)
        if isinstance(value, int | float) and np.isfinite(value):
            columns[f"{target.quantity}_met"] = "yes" if target.met(float(value)) else "missed"
    return columns
