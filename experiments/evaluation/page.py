"""The page of results, made from the tables that the evaluation wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments.attacks import INFORMED
from experiments.evaluation.texts import TEXTS
from experiments.pages.blocks import Block, Section, Table
from experiments.pages.cells import attack_label, strength_label
from experiments.pages.markdown import to_markdown
from experiments.pages.numbers import Numbers
from experiments.tables import select

TABLES = ("facts", "claims", "segmenters", "guard", "choice", "attacks", "corruptions")
_BOTH_SCORES = {
    "auc_spectral": "ROC-AUC, spectral score",
    "auc_combined": "ROC-AUC, combined score",
    "tpr_at_5_spectral": "TPR at 5 % FPR, spectral",
    "tpr_at_5_combined": "TPR at 5 % FPR, combined",
}
_DETECTION = {**_BOTH_SCORES, "tpr_shipped": "TPR, shipped threshold", "norm": "L2 norm", "flipped": "Flipped"}
_DICE = {
    "accepted_and_bad": "Accepted and bad",
    "dice_clean": "Clean",
    "dice_attacked": "Attacked",
    "dice_reformed": "With reformer",
    "recovered": "Won back",
    "dice_accepted": "Accepted, with reformer",
    "coverage": "Coverage",
}
_ACCIDENTS = {
    "tpr_shipped": "Rejected",
    "accepted_and_bad": "Accepted and bad",
    "dice_clean": "Clean",
    "dice_attacked": "Spoilt",
    "dice_reformed": "With reformer",
    "norm": "L2 norm",
}
_GUARD = {
    "coverage": "Coverage: share of slices accepted",
    "false_positive_rate": "Realized false positive rate of the shipped threshold",
    "accepted_plain": "Dice of accepted slices, segmenter alone",
    "accepted_reformed": "Dice of accepted slices, with reformer",
    "difference": "Difference",
    "all_plain": "Dice of all slices, segmenter alone",
    "all_reformed": "Dice of all slices, with reformer",
}
_EVERY_SLICE = "All slices that are not blank"


def page(folder: Path) -> str:
    """Make the page from the tables in a folder, to which it links as one that lies beside it."""
    numbers = Numbers(folder)
    links = ", ".join(f"[{name}.csv]({folder.name}/{name}.csv)" for name in TABLES)
    attacks = numbers.table("attacks").sort_values("form", key=lambda form: form != INFORMED, kind="stable")
    sections: dict[str, Sequence[Block]] = {
        "Words": [_bullets(TEXTS["words"])],
        "Claims": [TEXTS["claims"], _claims(numbers)],
        "Segmenters": [_segmenters(numbers)],
        "Guard on clean slices": [_guard(numbers)],
        "Choice of the score, on the validation split": _choice(numbers),
        "Detection of attacks": [
            TEXTS["noise"],
            _attacks(numbers, attacks, "Clean against attacked slices", _DETECTION),
        ],
        "Dice under attack": [_attacks(numbers, attacks, "Slices before and under attack", _DICE)],
        "Accidents": [TEXTS["accidents"], _accidents(numbers)],
        "Structures (UNet)": [_structures(numbers)],
        "How it was measured": [_bullets(_methods(numbers))],
    }
    opening = [Section("In short", [f"{TEXTS['introduction']} Tables: {links}."])]
    return to_markdown("Results on the test split", [*opening, *(Section(*each) for each in sections.items())])


def _table(
    numbers: Numbers, title: str, header: Sequence[str], rows: Sequence[Sequence[str]], source: str, slices: str
) -> Table:
    return Table(title, header, rows, numbers.caption("", slices), f"{numbers.folder.name}/{source}.csv")


def _cells(numbers: Numbers, row: pd.Series, names: Sequence[str]) -> list[str]:
    if row.get("size") == "not trained":
        return ["not trained"] * len(names)
    return [numbers.cell(row, name) for name in names]  # type: ignore[arg-type]


def _attacked_slices(numbers: Numbers) -> str:
    facts = numbers.facts
    return (
        f"{facts['attacked_slices']} slices, {facts['slices']} of each" if "attacked_slices" in facts else "No slices"
    )


def _claims(numbers: Numbers) -> Table:
    rows = [
        (row["claim"], row["bar"], numbers.cell(row, "figure"), row["verdict"])
        for row in numbers.table("claims").to_dict("records")
    ]
    header = ("Claim", "Bar", "Figure", "Verdict")
    return _table(numbers, "Bars set beforehand", header, rows, "claims", _EVERY_SLICE)


def _segmenters(numbers: Numbers) -> Table:
    means = select(numbers.table("segmenters"), structure="mean").to_dict("records")
    rows = [(row["network"], row["size"], numbers.cell(row, "dice")) for row in means]
    return _table(
        numbers, "Mean over the structures", ("Network", "Size", "Mean Dice"), rows, "segmenters", _EVERY_SLICE
    )


def _structures(numbers: Numbers) -> Table:
    unet = select(numbers.table("segmenters"), network="UNet").to_dict("records")
    rows = [(row["structure"], numbers.cell(row, "dice")) for row in unet if row["structure"] != "mean"]
    header = ("Structure", "Dice")
    return _table(numbers, "Dice of each structure", header, rows or [("not trained", "–")], "segmenters", _EVERY_SLICE)


def _guard(numbers: Numbers) -> Table:
    row = numbers.table("guard").iloc[0]
    rows = [(text, numbers.cell(row, name)) for name, text in _GUARD.items()]
    first = ("Threshold", f"{row['threshold']:.6g}" if "threshold" in row else row["size"])
    slices = f"{numbers.facts.get('clean_slices', 'No')} slices, all that are not blank"
    return _table(numbers, "The shipped guard", ("Figure", "Value"), [first, *rows], "guard", slices)


def _choice(numbers: Numbers) -> list[Block]:
    """Both scores under the attacks that choose between them."""
    table = numbers.table("choice")
    if "size" in table:
        return ["Not trained."]
    spectral, combined = (table[f"auc_{name}"].mean(skipna=False) for name in ("spectral", "combined"))
    better = "combined" if combined > spectral else "spectral"
    # Two subjects are too few for intervals.
    rows = [
        (row["target"], strength_label(row["strength"]), *(f"{row[name]:.3f}" for name in _BOTH_SCORES))
        for row in table.to_dict("records")
    ]
    words = (
        "The guard decides by the score with the larger mean ROC-AUC over the paper's attacks, brain only, on slices "
        f"that are not of the test split ({table['slices'].iloc[0]} slices): spectral {spectral:.3f}, combined "
        f"{combined:.3f}, so the {better} one. The combined score needs a second pass through the segmenter."
    )
    header = ("Target", "Strength", *_BOTH_SCORES.values())
    source = f"{numbers.folder.name}/choice.csv"
    return [words, Table("Both scores", header, rows, "Validation split.", source)]


def _attacks(numbers: Numbers, attacks: pd.DataFrame, title: str, columns: dict[str, str]) -> Table:
    """The informed attacker comes first: what the guard is worth against the worst."""
    rows = [(attack_label(row), *_cells(numbers, row, list(columns))) for _, row in attacks.iterrows()]
    slices = _attacked_slices(numbers)
    if "score" in numbers.facts:
        slices += f" (informed attacker: every second of them; the guard decides by the {numbers.facts['score']} score)"
    return _table(numbers, title, ("Attack", *columns.values()), rows, "attacks", slices)


def _accidents(numbers: Numbers) -> Table:
    table = numbers.table("corruptions")
    rows = [(attack_label(row), *_cells(numbers, row, list(_ACCIDENTS))) for _, row in table.iterrows()]
    header = ("Accident", *_ACCIDENTS.values())
    return _table(
        numbers, "Slices before and after an accident", header, rows, "corruptions", _attacked_slices(numbers)
    )


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _methods(numbers: Numbers) -> list[str]:
    facts = numbers.facts
    size = f" Guard: {facts['size']}." if "size" in facts else ""
    return [
        f"Command: `{facts['command']}`, {facts['date']}.",
        f"Networks trained with seed {facts['training_seed']}.{size}",
        *TEXTS["methods"],
    ]
