"""The page of results, made from the tables that the evaluation wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_BOTH_SCORES = {
    "auc_spectral": "ROC-AUC, spectral score",
    "auc_combined": "ROC-AUC, combined score",
    "tpr_at_5_spectral": "TPR at 5 % FPR, spectral",
    "tpr_at_5_combined": "TPR at 5 % FPR, combined",
}
_DETECTION = {
    "label": "Attack",
    **_BOTH_SCORES,
    "tpr_shipped": "TPR, shipped threshold",
    "norm": "L2 norm",
    "flipped": "Flipped",
}
_DICE = {
    "label": "Attack",
    "accepted_and_bad": "Accepted and bad",
    "dice_clean": "Clean",
    "dice_attacked": "Attacked",
    "dice_reformed": "With reformer",
    "recovered": "Won back",
    "dice_accepted": "Accepted, with reformer",
    "coverage": "Coverage",
}
_ACCIDENTS = {
    "label": "Accident",
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
_CLAIMS = {"claim": "Claim", "bar": "Bar", "figure": "Figure", "verdict": "Verdict"}
_SEGMENTERS = {"network": "Network", "size": "Size", "dice": "Mean Dice"}
_STRUCTURES = {"structure": "Structure", "dice": "Dice"}
_EVERY_SLICE = "All slices that are not blank"


def page(folder: Path) -> str:
    """Make the page from the tables in a folder, to which it links as one that lies beside it."""
    numbers = Numbers(folder)
    links = ", ".join(f"[{name}.csv]({folder.name}/{name}.csv)" for name in TABLES)
    some, informed = _attacked_slices(numbers.facts)
    sections: dict[str, Sequence[Block]] = {
        "In short": [f"{TEXTS['introduction']} Tables: {links}."],
        "Words": [bullets(TEXTS["words"])],
        "Claims": [TEXTS["claims"], _table(numbers, "Bars set beforehand", "claims", _CLAIMS, _EVERY_SLICE)],
        "Segmenters": [_segmenters(numbers, "Mean over the structures", _SEGMENTERS, structure="mean")],
        "Guard on clean slices": [_guard(numbers)],
        "Choice of the score, on the validation split": _choice(numbers),
        "Detection of attacks": [
            TEXTS["noise"],
            _attacks(numbers, "Clean against attacked slices", "attacks", _DETECTION, informed),
        ],
        "Dice under attack": [_attacks(numbers, "Slices before and under attack", "attacks", _DICE, informed)],
        "Accidents": [
            TEXTS["accidents"],
            _attacks(numbers, "Slices before and after an accident", "corruptions", _ACCIDENTS, some),
        ],
        "Structures (UNet)": [_segmenters(numbers, "Dice of each structure", _STRUCTURES, network="UNet")],
        "How it was measured": [bullets(_methods(numbers))],
    }
    return to_markdown("Results on the test split", [Section(*each) for each in sections.items()])


def _table(
    numbers: Numbers,
    title: str,
    source: str,
    columns: Mapping[str, str],
    slices: str,
    *,
    rows: pd.DataFrame | None = None,
) -> Table:
    """Columns of a file of numbers, or of some rows of it, each by its title."""
    cells = numbers.rows(numbers.table(source) if rows is None else rows, columns)
    nothing = [["not trained", *("–" for _ in list(columns)[1:])]]
    header, caption = list(columns.values()), numbers.caption("", slices)
    return Table(title, header, cells or nothing, caption, f"{numbers.folder.name}/{source}.csv")


def _segmenters(numbers: Numbers, title: str, columns: Mapping[str, str], **wanted: str) -> Table:
    rows = select(numbers.table("segmenters"), **wanted)
    if "structure" not in wanted:
        rows = rows[rows["structure"] != "mean"]
    return _table(numbers, title, "segmenters", columns, _EVERY_SLICE, rows=rows)


def _attacks(numbers: Numbers, title: str, source: str, columns: Mapping[str, str], slices: str) -> Table:
    """The informed attacker comes first: what the guard is worth against the worst."""
    rows = numbers.table(source).sort_values("form", key=lambda form: form != INFORMED, kind="stable")
    rows = rows.assign(label=[attack_label(row) for row in rows.to_dict("records")])
    return _table(numbers, title, source, columns, slices, rows=rows)


def _attacked_slices(facts: Facts) -> tuple[str, str]:
    """Slices of the accidents, and the same with how many of them the informed attacker has."""
    if "attacked_slices" not in facts:
        return "No slices", "No slices"
    some = f"{facts['attacked_slices']} slices, {facts['slices']} of each"
    informed = f"informed attacker: every second of them; the guard decides by the {facts['score']} score"
    return some, f"{some} ({informed})"


def _guard(numbers: Numbers) -> Table:
    row = numbers.table("guard").iloc[0]
    rows = [(text, numbers.cell(row, name)) for name, text in _GUARD.items()]  # type: ignore[arg-type]
    first = ("Threshold", f"{row['threshold']:.6g}" if "threshold" in row else row["size"])
    caption = numbers.caption("", f"{numbers.facts.get('clean_slices', 'No')} slices, all that are not blank")
    source = f"{numbers.folder.name}/guard.csv"
    return Table("The shipped guard", ("Figure", "Value"), [first, *rows], caption, source)


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


def _methods(numbers: Numbers) -> list[str]:
    facts = numbers.facts
    size = f" Guard: {facts['size']}." if "size" in facts else ""
    return [
        f"Command: `{facts['command']}`, {facts['date']}.",
        f"Networks trained with seed {facts['training_seed']}.{size}",
        *TEXTS["methods"],
    ]
