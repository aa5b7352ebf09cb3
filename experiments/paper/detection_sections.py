"""The section of the page about detection: Table 1, and the rates by strength and support."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.pages.blocks import Block, Table
from experiments.pages.cells import attack_label, strength_label
from experiments.paper.names import MEAN, POOLED
from experiments.paper.paper_numbers import INFORMED, Columns, PaperNumbers
from experiments.paper.quantities import pooled
from experiments.paper.texts import TEXTS
from experiments.tables import select

_DETECTORS = ("Detector", "detector")


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
        title, numbers.detection, _DETECTORS, columns, source="detection", slices=slices, caption=caption
    )
