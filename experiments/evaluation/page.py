"""The page of results, made from the tables that the evaluation wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments.attacks import INFORMED
from experiments.pages.blocks import Block, Section, Table
from experiments.pages.cells import attack_label, strength_label
from experiments.pages.markdown import bullets, to_markdown
from experiments.pages.numbers import Numbers
from experiments.pages.texts import texts_beside
from experiments.tables import Facts, select

TEXTS = texts_beside(__file__)
TABLES = ("facts", "claims", "segmenters", "guard", "choice", "attacks", "corruptions")
_EVERY_SLICE = "All slices that are not blank"


def page(folder: Path) -> str:
    """Make the page from the tables in a folder, to which it links as one that lies beside it."""
    numbers = Numbers(folder)
    segmenters = numbers.table("segmenters")
    structures = select(segmenters, network="UNet")
    links = ", ".join(f"[{name}.csv]({folder.name}/{name}.csv)" for name in TABLES)
    facts = numbers.facts
    some = f"{facts['attacked_slices']} slices, {facts['slices']} of each"
    informed = f"{some} (informed attacker: every second of them; the guard decides by the {facts['score']} score)"
    attacks, accidents = (_attacks(numbers.table(name)) for name in ("attacks", "corruptions"))

    def table(title: str, source: str, columns: str, rows: pd.DataFrame, slices: str = _EVERY_SLICE) -> Table:
        titles = TEXTS["columns"][columns]
        cells = numbers.rows(rows, titles)
        return numbers.shown(title, list(titles.values()), cells, source, numbers.caption("", slices))

    sections: dict[str, Sequence[Block]] = {
        "In short": [f"{TEXTS['introduction']} Tables: {links}."],
        "Words": [bullets(TEXTS["words"])],
        "Claims": [TEXTS["claims"], table("Bars set beforehand", "claims", "claims", numbers.table("claims"))],
        "Segmenters": [
            table("Mean over the structures", "segmenters", "segmenters", select(segmenters, structure="mean"))
        ],
        "Guard on clean slices": [_guard(numbers)],
        "Choice of the score, on the validation split": _choice(numbers),
        "Detection of attacks": [
            TEXTS["noise"],
            table("Clean against attacked slices", "attacks", "detection", attacks, informed),
        ],
        "Dice under attack": [table("Slices before and under attack", "attacks", "dice", attacks, informed)],
        "Accidents": [
            TEXTS["accidents"],
            table("Slices before and after an accident", "corruptions", "accidents", accidents, some),
        ],
        "Structures (UNet)": [
            table("Dice of each structure", "segmenters", "structures", structures[structures["structure"] != "mean"])
        ],
        "How it was measured": [bullets(_methods(facts))],
    }
    return to_markdown("Results on the test split", [Section(*each) for each in sections.items()])


def _attacks(rows: pd.DataFrame) -> pd.DataFrame:
    """The informed attacker comes first: what the guard is worth against the worst."""
    rows = rows.sort_values("form", key=lambda form: form != INFORMED, kind="stable")
    return rows.assign(label=[attack_label(row) for row in rows.to_dict("records")])


def _guard(numbers: Numbers) -> Table:
    row = numbers.table("guard").iloc[0].to_dict()
    rows = [
        ("Threshold", f"{row['threshold']:.6g}"),
        *((text, numbers.cell(row, name)) for name, text in TEXTS["guard"].items()),
    ]
    slices = f"{numbers.facts['clean_slices']} slices, all that are not blank"
    return numbers.shown("The guard", ("Figure", "Value"), rows, "guard", numbers.caption("", slices))


def _choice(numbers: Numbers) -> list[Block]:
    """Both scores under the attacks that choose between them."""
    table, titles = numbers.table("choice"), TEXTS["columns"]["choice"]
    mean = {name: table[f"auc_{name}"].mean(skipna=False) for name in ("spectral", "combined")}
    better = "combined" if mean["combined"] > mean["spectral"] else "spectral"
    # Two subjects are too few for intervals.
    rows = [
        (row["target"], strength_label(row["strength"]), *(f"{row[name]:.3f}" for name in titles))
        for row in table.to_dict("records")
    ]
    words = TEXTS["choice"].format(slices=table["slices"].iloc[0], better=better, **mean)
    header = ("Target", "Strength", *titles.values())
    return [words, numbers.shown("Both scores", header, rows, "choice", "Validation split.")]


def _methods(facts: Facts) -> list[str]:
    return [
        f"Command: `{facts['command']}`, {facts['date']}.",
        f"Networks trained with seed {facts['training_seed']}. Guard: {facts['size']}.",
        *TEXTS["methods"],
    ]
