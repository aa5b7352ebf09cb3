"""Sections of the page: the informed attacker, Table 2 and Figure 4."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from experiments.pages.blocks import Block, Table
from experiments.pages.cells import budget_label
from experiments.paper.names import HALF, MEAN
from experiments.paper.paper_numbers import INFORMED, Columns, PaperNumbers, target_label
from experiments.paper.quantities import pooled
from experiments.paper.texts import TEXTS
from experiments.tables import CLEAN, select

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
