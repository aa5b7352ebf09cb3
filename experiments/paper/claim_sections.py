"""Sections of the page: in short, claims and bars, and what could not be reproduced."""

from __future__ import annotations

import math
from collections.abc import Iterator

from experiments.pages.blocks import Block, Section, Table
from experiments.pages.cells import strength_label
from experiments.paper.names import MEAN
from experiments.paper.paper_numbers import PaperNumbers
from experiments.paper.texts import TEXTS
from experiments.tables import Row, select


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
