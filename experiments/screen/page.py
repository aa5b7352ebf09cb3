"""The page of the screen's figures, made from its table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.pages.blocks import Section, Table
from experiments.pages.markdown import bullets, to_markdown
from experiments.pages.numbers import Numbers
from experiments.pages.texts import texts_beside
from experiments.screen.conditions import CLEAN
from experiments.screen.targets import GROUPS, OTHER_ORGAN, Target

TEXTS = texts_beside(__file__)
__all__ = ["page"]


def page(folder: Path) -> str:
    """Make the page from the tables in a folder, to which it links as one that lies beside it."""
    numbers = Numbers(folder, "screen_facts")
    table = numbers.table("screen")
    sections = [
        Section("In short", [TEXTS["introduction"], _short(table)]),
        Section("Wanted and missed", [TEXTS["missed"], _missed(numbers, table)]),
        Section("Clean volumes", [TEXTS["clean"], _clean(numbers, table)]),
        *(_section(numbers, table, group) for group in TEXTS["titles"]),
        *_adversarial(numbers, table),
        *_against_attacker(numbers),
        *_other_organ(numbers),
        Section("Not measured", [bullets([*_absent(table), *TEXTS["absent"], *_no_dice(numbers)])]),
        Section("How to read it", [bullets(TEXTS["limits"]), bullets(_methods(numbers))]),
    ]
    return to_markdown("The screen on the test split", sections)


def _section(numbers: Numbers, table: pd.DataFrame, group: str) -> Section:
    return Section(TEXTS["titles"][group], [TEXTS[group.replace(" ", "_")], _group(numbers, table, group)])


def _short(table: pd.DataFrame) -> str:
    """How many of the wanted figures were reached."""
    marks = [mark for name in table if str(name).endswith("_met") for mark in table[name] if mark in ("yes", "missed")]
    met = f"{marks.count('yes')} are met and {marks.count('missed')} missed"
    return f"Of {len(marks)} wanted figures that were measured, {met}."


def _missed(numbers: Numbers, table: pd.DataFrame) -> Table:
    rows = []
    for row in table.to_dict("records"):
        for name, title in TEXTS["quantities"].items():
            if row.get(f"{name}_met") == "missed":
                rows.append((row["condition"], title, numbers.cell(row, name), row[f"{name}_wanted"]))
    return _table(numbers, "Missed", ("Condition", "Figure", "Measured", "Wanted"), rows or [("none", "–", "–", "–")])


def _clean(numbers: Numbers, table: pd.DataFrame) -> Table:
    row = table[table["condition"] == CLEAN].to_dict("records")[0]
    of_all = f"Of {row.get('left_out_volumes', 0):.0f} volumes of all splits, not clean"
    titles = {**TEXTS["quantities"], "left_out_not_clean": of_all}
    names = [name for name in TEXTS["columns"]["clean"] if name in row]
    rows = [(titles[name], numbers.cell(row, name), *_judged(row, name)) for name in names]
    counts = {
        "Slices judged": f"{row['slices']:.0f}",
        "Slices that show too little": f"{row['not_judged']:.0f}",
        "Volumes, subjects": f"{row['volumes']:.0f}, {row['subjects']:.0f}",
        "Verdicts": row["verdicts"],
    }
    lines = [*rows, *((name, value, "–", "–") for name, value in counts.items())]
    return _table(numbers, "Without any fault", ("Figure", "Measured", "Wanted", "Met"), lines)


def _group(numbers: Numbers, table: pd.DataFrame, group: str) -> Table:
    names, titles = TEXTS["columns"][group], TEXTS["quantities"]
    header = ["Condition", "Slices, volumes", *(titles[name] for name in names), "Volumes' causes"]
    lines = []
    for row in table[table["group"] == group].to_dict("records"):
        cells = [_beside_wanted(numbers, row, name) for name in names]
        size = f"{row['slices']:.0f}, {row['volumes']:.0f}"
        lines.append([row["condition"], size, *cells, row["volume_causes"] or "–"])
    return _table(numbers, TEXTS["titles"][group], header, lines)


def _other_organ(numbers: Numbers) -> list[Section]:
    """What a calibration on another organ gave, if it was made."""
    if not (numbers.folder / "screen_other_organ.csv").is_file():
        return []
    row = numbers.table("screen_other_organ").to_dict("records")[0]
    lines = [
        (title, f"{row[name]:.3g}", *(("–", "–") if target is None else (str(target), _met(row, target))))
        for name, (title, target) in OTHER_ORGAN.items()
    ]
    caption = f"{row['calibrated_volumes']:.0f} phantoms to calibrate, {row['volumes']:.0f} new ones"
    header = ("Figure", "Measured", "Wanted", "Met")
    table = numbers.shown("Another organ", header, lines, "screen_other_organ", caption)
    return [Section("Another organ and contrast", [TEXTS["other_organ"], table])]


def _adversarial(numbers: Numbers, table: pd.DataFrame) -> list[Section]:
    """The screen of the overlay beside the shipped one, if it was measured."""
    name, shown = "screen_adversarial", ("rejected", "accepted_and_bad", "structures_accepted_and_bad")
    if not (numbers.folder / f"{name}.csv").is_file():
        return []
    rows = {row["condition"]: row for row in table.to_dict("records")}
    header = ("Condition", *(f"{TEXTS['quantities'][column]}{kind}" for column in shown for kind in ("", ", trained")))
    lines = [
        [row["condition"], *(numbers.cell(each, column) for column in shown for each in (rows[row["condition"]], row))]
        for row in numbers.table(name).to_dict("records")
        if row["group"] in ("attack", "informed attack") and row["condition"] in rows
    ]
    caption = f"{numbers.caption('', 'Slices')} --overlays adversarial"
    title = "With the segmenter trained against attackers"
    return [Section(title, [TEXTS["adversarial"], numbers.shown(title, header, lines, name, caption)])]


def _against_attacker(numbers: Numbers) -> list[Section]:
    """What a screen gained that was refitted against its attacker, if it was."""
    source = "screen_against_attacker"
    if not (numbers.folder / f"{source}.csv").is_file():
        return []
    rows, titles = numbers.table(source).to_dict("records"), TEXTS["turns"]
    lines = [[_count(row, name) for name in titles] for row in rows]
    command = "python -m experiments.screen.against_attacker --dataset_dir malc2012"
    caption = f"Attacked each time: {rows[0]['slices']:.0f} slices; {command}"
    table = numbers.shown("Attack and refit by turns", list(titles.values()), lines, source, caption)
    return [Section("Refitted against its attacker", [TEXTS["against_attacker"], table])]


def _count(row: dict[Any, Any], name: str) -> str:
    """A number of slices, and of how many where these are not the attacked ones; words and Dice as they are."""
    if isinstance(row[name], str):
        return str(row[name]).replace("_", " ") or "–"
    if name.startswith("dice"):
        return f"{row[name]:.3f}"
    of = {"clean_rejected": "clean_slices", "noise_rejected": "noisy_slices"}.get(name)
    count = "–" if pd.isna(row[name]) else f"{row[name]:.0f}"
    return count if of is None else f"{count} of {row[of]:.0f}"


def _met(row: dict[Any, Any], target: Target) -> str:
    return "yes" if target.met(float(row[target.quantity])) else "missed"


def _judged(row: dict[Any, Any], name: str) -> tuple[str, str]:
    """What was wanted of a figure, and whether it is met."""
    return row.get(f"{name}_wanted") or "–", row.get(f"{name}_met") or "–"


def _beside_wanted(numbers: Numbers, row: dict[Any, Any], name: str) -> str:
    """A figure, and below it what was wanted, if anything was."""
    bound, met = _judged(row, name)
    return numbers.cell(row, name) if met == "–" else f"{numbers.cell(row, name)}<br>({bound}: {met})"


def _absent(table: pd.DataFrame) -> list[str]:
    known = set(table["condition"])
    absent = [f"{name} ({group})." for group, names in GROUPS.items() for name in names if name not in known]
    return absent if "left_out_not_clean" in table else [TEXTS["no_left_out"], *absent]


def _no_dice(numbers: Numbers) -> list[str]:
    return [TEXTS["no_dice"]] if numbers.facts["predicts_dice"] == "no" else []


def _methods(numbers: Numbers) -> list[str]:
    facts = numbers.facts
    return [
        f"Screen {facts['screen_sha256'][:12]}, fitted on {facts['fitted_subjects']} subjects; threshold "
        f"{facts['threshold']}; slices under {facts['smallest_area']} pixels of brain are not judged.",
        f"Command: `{facts['command']}`, {facts['date']}. A run that was stopped goes on; "
        "`--kept_only` tells of what was measured.",
    ]


def _table(numbers: Numbers, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return numbers.shown(title, header, rows, "screen", numbers.caption("", "Slices"))
