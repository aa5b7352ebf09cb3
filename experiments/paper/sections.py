"""Sections of the page of all results: in short and claims, detection, guards, and what could not be reproduced."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from experiments.pages.blocks import Block, Section, Table
from experiments.pages.cells import attack_label, budget_label, strength_label
from experiments.paper.names import HALF, MEAN, POOLED
from experiments.paper.paper_numbers import INFORMED, Columns, PaperNumbers, target_label
from experiments.paper.quantities import pooled
from experiments.paper.texts import TEXTS
from experiments.tables import CLEAN, Row, select

_TABLE_2: Columns = {
    "Accepted and bad, informed attacker": (INFORMED, "accepted_and_bad"),
    "Accepted and bad": ({"attack": pooled()}, "accepted_and_bad"),
    "Coverage": ({"attack": pooled()}, "coverage"),
    "Dice of accepted": ({"attack": pooled()}, "dice"),
    "Soft Dice of accepted": ({"attack": pooled()}, "soft_dice"),
    "Dice of accepted, half clean": ({"attack": pooled(types=HALF)}, "dice"),
    "Clean: coverage": ({"attack": CLEAN}, "coverage"),
    "Clean: Dice of accepted": ({"attack": CLEAN}, "dice"),
    "Clean: cost of the reformer": ({"attack": CLEAN}, "clean_cost"),
}


def in_short(numbers: PaperNumbers) -> Iterator[Block]:
    """What the page is about, the informed attacker, and how the claims fared."""
    yield TEXTS["introduction"]
    for row in select(numbers.guards, knows_guard="yes", strength=1.0, target=MEAN).to_dict("records"):
        yield (
            f"An attacker who knows the guard {row['detector']} → {row['reformer']} (detector → reformer), and may "
            "change a slice as much as DAG does at full strength, gets at least "
            f"{numbers.cell(row, 'accepted_and_bad')} of all slices accepted with a bad segmentation, mean over "
            "the target networks."
        )
    yield count_of_verdicts(numbers)


def count_of_verdicts(numbers: PaperNumbers) -> str:
    """How many claims came out, and how many bars were met."""
    verdicts = list(numbers.table("claims")["verdict_brain"])
    bars = list(numbers.table("bars").dropna(subset="bar")["verdict"])
    counted = ", ".join(f"{verdicts.count(name)} {name}" for name in ("yes", "no", "undecided", "not measured"))
    return (
        f"{len(verdicts)} claims of the paper: {counted}. Bars set beforehand: {bars.count('met')} met, "
        f"{bars.count('missed')} missed, {bars.count('not measured')} not measured."
    )


def claims(numbers: PaperNumbers) -> Iterator[Block]:
    """Verdicts and bars."""
    rows = [
        (row["text"], *(_verdict(row[f"verdict_{name}"]) for name in TEXTS["settings"]), _votes(row), row["reading"])
        for row in numbers.table("claims").to_dict("records")
    ]
    header = ("Claim", *TEXTS["settings"].values(), "Comparisons, brain only", "Compared")
    caption = numbers.captioned("claims", numbers.pooled_slices)
    yield Table("Verdicts", header, rows, caption, "claims.csv")
    yield TEXTS["elsewhere"]["claims"]
    yield _bars(numbers)


def not_reproduced(numbers: PaperNumbers) -> Iterator[Section]:
    """What did not come out, with its quantities and a conjecture."""
    table = numbers.table("claims")
    for row in table[table["verdict_brain"].isin(["no", "undecided"])].to_dict("records"):
        found = [
            f"{other['expected_higher']} {numbers.cell(other, 'higher')} against {other['expected_lower']} "
            f"{numbers.cell(other, 'lower')}, difference {numbers.cell(other, 'difference')}: {other['verdict']}."
            for other in select(numbers.table("comparisons"), claim=row["claim"], setting="brain").to_dict("records")
        ]
        yield Section(f"{row['text']}: {row['verdict_brain']}", [*found, f"Conjecture: {row['reason']}"])
    for detector, rows in select(numbers.table("bars"), verdict="missed").groupby("detector", sort=False):
        found = [
            f"DAG {row['type']}, {strength_label(row['strength'])}: {numbers.cell(row, 'auc')}, wanted at least "
            f"{row['bar']:g}."
            for row in rows.to_dict("records")
        ]
        title = f"ROC-AUC of {detector}, brain only, mean over the target networks: missed"
        yield Section(title, [*found, f"Conjecture: {rows['reason'].iloc[0]}"])
    missing = [f"{text}." for text in select(table, verdict_brain="not measured")["text"]]
    if missing:
        yield Section("Not measured in this run", missing)


def _verdict(text: str | float) -> str:
    """A column without any verdict is read as one of missing numbers."""
    return text if isinstance(text, str) and text else "–"


def _votes(claim: Row) -> str:
    """How the comparisons behind a verdict came out."""
    counts = ((name, claim[f"{name}_brain"]) for name in ("yes", "undecided", "no"))
    return ", ".join(f"{count} {name}" for name, count in counts if count) or "–"


def _bars(numbers: PaperNumbers) -> Table:
    rows = [
        (
            f"{row['detector']}, DAG {row['type']}, {strength_label(row['strength'])}",
            "–" if math.isnan(row["bar"]) else f"at least {row['bar']:g}",
            numbers.cell(row, "auc"),
            row["verdict"],
        )
        for row in numbers.table("bars").to_dict("records")
    ]
    title = "Bars set beforehand: ROC-AUC, brain only, mean over the target networks"
    header, caption = (
        ("Detector and attack", "Bar", "ROC-AUC", "Verdict"),
        numbers.captioned("bars", numbers.single_slices),
    )
    return Table(title, header, rows, caption, "bars.csv")


def informed_attacker(numbers: PaperNumbers) -> Iterator[Table]:
    """What passes each guard of an attacker who knows it, beside what passes it without an attack."""
    bad = {f"Accepted and bad, {name}": ({"target": name}, "accepted_and_bad") for name in (MEAN, *numbers.targets)}
    columns: Columns = {
        **bad,
        "Coverage, mean": ({"target": MEAN}, "coverage"),
        "Dice of accepted, mean": ({"target": MEAN}, "dice"),
        "Soft Dice of accepted, mean": ({"target": MEAN}, "soft_dice"),
        "AUC of the detector, mean": ({"target": "scores"}, "auc"),
    }
    known = select(numbers.guards, knows_guard="yes")
    for (detector, reformer), rows in known.groupby(["detector", "reformer"], sort=False):
        clean = select(numbers.guards, detector=detector, reformer=reformer, form=CLEAN)
        # Rows of the detector alone, under a name of their own in the column of the targets.
        scores = select(numbers.detection, detector=detector, target=MEAN, knows_guard="yes").assign(target="scores")
        here = pd.concat([rows, clean, scores])
        here["norm"] = here["strength"].map(budget_label).where(here["form"] != CLEAN, "no attack")
        title, slices = f"Guard {detector} → {reformer}", f"{rows['slices'].iloc[0]} attacked slices"
        yield numbers.compared(
            title, here, ("L2 norm", "norm"), columns, source="guards", slices=slices, caption="informed"
        )


def guards(numbers: PaperNumbers) -> Iterator[Block]:
    """Figure 4, Table 2 for each target network, risk and coverage."""
    yield from numbers.picture("figure_4")
    for target in (MEAN, *numbers.targets):
        title, here = f"Table 2, {target_label(target)}", select(numbers.guards, target=target)
        lines, slices = ("Detector → reformer", "guard"), numbers.pooled_slices
        yield numbers.compared(title, here, lines, _TABLE_2, source="guards", slices=slices)
    yield from numbers.picture("risk_coverage")
    yield TEXTS["elsewhere"]["guards"]


def detection(numbers: PaperNumbers) -> Iterator[Block]:
    """Table 1 with the paper's averages, ROC curves, and the rates by strength and support."""
    columns: Columns = {
        "Informed attacker": ({**INFORMED, "target": MEAN}, "auc"),
        **{target: ({"target": target, "attack": pooled()}, "auc") for target in (*numbers.targets, MEAN)},
        "Paper, mean": ({}, "paper"),
    }
    yield _table(numbers, "ROC-AUC at full strength, brain only", columns, numbers.pooled_slices)
    yield from numbers.picture("roc")
    types = select(numbers.detection, type=POOLED).drop_duplicates("attack").to_dict("records")
    short = {row["attack"]: attack_label(row).removeprefix(f"DAG {POOLED}, ") for row in types}
    for name, title in (("auc", "ROC-AUC"), ("tpr_at_5", "True positive rate at 5 % false positives")):
        columns = {label: ({"target": MEAN, "attack": attack}, name) for attack, label in short.items()}
        title = f"{title} by strength and support, mean over the target networks"
        yield _table(numbers, title, columns, numbers.single_slices)
    yield _calibrated(numbers)
    yield TEXTS["elsewhere"]["detection"]


def _calibrated(numbers: PaperNumbers) -> Table:
    pooled_inside = {"target": MEAN, "type": POOLED, "support": "brain"}
    strengths = select(numbers.detection, **pooled_inside)["strength"].unique()
    columns: Columns = {
        "Realized false positives": (pooled_inside, "fpr"),
        **{f"True positives, {strength_label(s)}": ({**pooled_inside, "strength": s}, "tpr") for s in strengths},
    }
    title = "Rates of the calibrated threshold, brain only, mean over the target networks"
    return _table(numbers, title, columns, numbers.pooled_slices, caption="calibrated")


def _table(numbers: PaperNumbers, title: str, columns: Columns, slices: str, *, caption: str | None = None) -> Table:
    return numbers.compared(
        title, numbers.detection, ("Detector", "detector"), columns, source="detection", slices=slices, caption=caption
    )
