"""Sections of the page: in short, claims and bars, and what could not be reproduced."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.paper.blocks import Block, Note, Table
from experiments.paper.cells import strength_name
from experiments.paper.page_numbers import Numbers
from experiments.paper.page_texts import INTRODUCTION, SETTING_NAMES
from experiments.paper.quantities import MEAN
from experiments.paper.tables import Row

__all__ = ["claims", "count_of_verdicts", "in_short", "not_reproduced"]


def in_short(numbers: Numbers) -> Iterator[Block]:
    """What the page is about, the attacker who knows the guard, and how the claims fared."""
    yield INTRODUCTION
    for row in numbers.guards:
        if row["knows_guard"] and row["strength"] == "1" and row["target"] == MEAN:
            yield (
                f"An attacker who knows the guard {row['detector']} → {row['reformer']} (detector → reformer), and may "
                "change a slice as much as DAG does at full strength, gets at least "
                f"{numbers.cell(row, 'accepted_and_bad')} of all slices accepted with a bad segmentation, mean over "
                "the target networks."
            )
    yield count_of_verdicts(numbers)


def count_of_verdicts(numbers: Numbers) -> str:
    """How many claims came out, and how many bars were met."""
    verdicts = [row["verdict_brain"] for row in numbers.claims]
    bars = [row["verdict"] for row in numbers.bars if row["bar"]]
    counted = ", ".join(f"{verdicts.count(name)} {name}" for name in ("yes", "no", "undecided", "not measured"))
    return (
        f"{len(verdicts)} claims of the paper: {counted}. Bars set beforehand: {bars.count('met')} met, "
        f"{bars.count('missed')} missed, {bars.count('not measured')} not measured."
    )


def claims(numbers: Numbers) -> Iterator[Block]:
    """Verdicts, every comparison behind them, and the bars."""
    rows = [
        (row["text"], *(row[f"verdict_{name}"] or "–" for name in SETTING_NAMES), _votes(row), row["reading"])
        for row in numbers.claims
    ]
    header: tuple[str, ...] = ("Claim", *SETTING_NAMES.values(), "Comparisons, brain only", "Compared")
    caption = numbers.caption("claims", numbers.pooled_slices)
    yield Table("Verdicts", header, rows, caption, "claims.csv", words=True)
    yield _comparisons(numbers)
    bars = [
        (
            f"{row['detector']}, DAG {row['type']}, {strength_name(row['strength'])}",
            f"at least {row['bar']}" if row["bar"] else "–",
            numbers.cell(row, "auc"),
            row["verdict"],
        )
        for row in numbers.bars
    ]
    header = ("Detector and attack", "Bar", "ROC-AUC", "Verdict")
    title = "Bars set beforehand: ROC-AUC, brain only, mean over the target networks"
    yield Table(title, header, bars, numbers.caption("bars", numbers.single_slices), "bars.csv")


def not_reproduced(numbers: Numbers) -> Iterator[Note]:
    """What did not come out, with its figures and a conjecture."""
    for row in numbers.claims:
        if row["verdict_brain"] in ("no", "undecided"):
            found = [
                f"{other['expected_higher']} {numbers.cell(other, 'higher')} against {other['expected_lower']} "
                f"{numbers.cell(other, 'lower')}, difference {numbers.cell(other, 'difference')}: {other['verdict']}."
                for other in numbers.comparisons
                if (other["claim"], other["setting"]) == (row["claim"], "brain")
            ]
            yield Note(f"{row['text']}: {row['verdict_brain']}", [*found, f"Conjecture: {row['reason']}"])
    missed = [row for row in numbers.bars if row["verdict"] == "missed"]
    for detector in dict.fromkeys(row["detector"] for row in missed):
        rows = [row for row in missed if row["detector"] == detector]
        found = [
            f"DAG {row['type']}, {strength_name(row['strength'])}: {numbers.cell(row, 'auc')}, wanted at least "
            f"{row['bar']}."
            for row in rows
        ]
        title = f"ROC-AUC of {detector}, brain only, mean over the target networks: missed"
        yield Note(title, [*found, f"Conjecture: {rows[0]['reason']}"])
    missing = [f"{row['text']}." for row in numbers.claims if row["verdict_brain"] == "not measured"]
    if missing:
        yield Note("Not measured in this run", missing)


def _votes(claim: Row) -> str:
    """How the comparisons behind a verdict came out."""
    counts = ((name, claim[f"{name}_brain"]) for name in ("yes", "undecided", "no"))
    return ", ".join(f"{count} {name}" for name, count in counts if count != "0") or "–"


def _comparisons(numbers: Numbers) -> Table:
    texts = {row["claim"]: row["text"] for row in numbers.claims}
    rows = [
        (
            texts[row["claim"]],
            SETTING_NAMES[row["setting"]],
            row["expected_higher"],
            row["expected_lower"],
            numbers.cell(row, "higher"),
            numbers.cell(row, "lower"),
            numbers.cell(row, "difference"),
            row["verdict"],
        )
        for row in numbers.comparisons
    ]
    header = ("Claim", "Slices", "Should be higher", "Should be lower", "Former", "Latter", "Difference", "Verdict")
    caption = numbers.caption("comparisons", numbers.pooled_slices)
    return Table("Every comparison", header, rows, caption, "comparisons.csv", folded=True, names=4)
