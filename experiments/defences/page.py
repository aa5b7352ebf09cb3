"""The table as CSV and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

__all__ = ["page", "table"]

_TEXT = """# Defences and attacks

Mean Dice on the test split under the worst of {attacks} attacks, each image by itself, when every voxel may change by
the share of the range at the head of the column. Every attack knows the defence from end to end. In brackets: 95 %
intervals over subjects. Sorted by the last column of Dice.

{table}

"Accepted and bad": of a defence that can reject, the share of slices that it lets pass although their Dice has fallen
by more than 0.1, when the attacker knows its scores, at the largest budget. Its Dice is that behind the reformer under
this one attack.

*Numbers: [{csv}]({csv}). {slices} slices of {cases} volumes of {subjects} subjects; {steps} steps of each attack at
each budget; {command}*

## Submit a row

A defence is a Python function from the folder of the bundles to a network, from slices `(B, 1, 192, 192)` in [0, 1] to
logits of the 28 classes, differentiable from end to end. A `DefendedSegmenter` may reject.

    python -m experiments.defences --dataset_dir MALC2012 --add "NAME=your_package.your_module:function"

measures it beside the others; what was measured before stays. Send the CSV, the function with its weights, and their
licence. A row is taken if it can be run again and comes out the same. A random defence is measured with its seed fixed,
which flatters it: say so.
"""


def table(reports: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each defence, the best worst case first.

    Args:
        reports: by the name of the defence, as of :func:`~monai_advdefense.robustness.robustness_report`.
    """
    rows = [_row(name, report) for name, report in reports.items()]
    frame = pd.DataFrame(rows)
    budgets = [column for column in frame if column.startswith("dice_") and column[5:].isdigit()]
    return frame.sort_values(budgets[-1], ascending=False, kind="stable", ignore_index=True)


def _row(name: str, report: Mapping[str, Any]) -> dict[str, Any]:
    claims, guard = report["claims"], report["guard"]
    row: dict[str, Any] = {"defence": name, **_interval("dice_clean", claims["clean"]["dice"])}
    for place, level in enumerate(claims["worst_case"]):
        row |= {f"budget_{place}": level["level"], **_interval(f"dice_{place}", level["dice"])}
    informed = guard["attacks_that_know_it"][0]["levels"][-1] if guard else {}
    row["false_alarms"] = guard["false_alarms"] if guard else None
    row["accepted_and_bad"] = informed.get("accepted_and_bad")
    return row


def _interval(name: str, dice: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dice["estimate"], f"{name}_low": dice["low"], f"{name}_high": dice["high"]}


def page(frame: pd.DataFrame, report: Mapping[str, Any], *, csv: str, command: str) -> str:
    """The page of a table, with what a report says of the data."""
    settings = report["settings"]
    return _TEXT.format(
        attacks=len(settings["attacks"]),
        table=_markdown(frame, settings["budgets"]),
        csv=csv,
        slices=sum(case["samples"] for case in report["cases"]),
        cases=len(report["cases"]),
        subjects=len({case["subject"] for case in report["cases"]}),
        steps=settings["steps"],
        command=command,
    )


def _markdown(frame: pd.DataFrame, budgets: Sequence[float]) -> str:
    header = ["Defence", "Clean", *(f"{100 * budget:.2g} %" for budget in budgets), "False alarms", "Accepted and bad"]
    lines = [header, ["---"] * len(header)]
    for row in frame.to_dict("records"):
        dice = [_cell(row, "dice_clean"), *(_cell(row, f"dice_{place}") for place in range(len(budgets)))]
        shares = ["" if pd.isna(row[name]) else f"{row[name]:.3f}" for name in ("false_alarms", "accepted_and_bad")]
        lines.append([row["defence"], *dice, *shares])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: Mapping[Any, Any], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    interval = "" if pd.isna(low) else f" [{low:.3f}, {high:.3f}]"
    return f"{row[name]:.3f}{interval}"
