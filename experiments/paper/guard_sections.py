"""Sections of the page: the informed attacker, Table 2 and Figure 4."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from experiments.attacks import INFORMED
from experiments.pages.blocks import Block, Table
from experiments.pages.cells import budget_label
from experiments.paper.names import HALF, MEAN
from experiments.paper.paper_numbers import PaperNumbers, target_label
from experiments.paper.quantities import pooled
from experiments.paper.texts import TEXTS
from experiments.tables import CLEAN, select

_TABLE_2 = (
    ("Accepted and bad, informed attacker", INFORMED, "accepted_and_bad"),
    ("Accepted and bad", pooled(), "accepted_and_bad"),
    ("Coverage", pooled(), "coverage"),
    ("Dice of accepted", pooled(), "dice"),
    ("Soft Dice of accepted", pooled(), "soft_dice"),
    ("Dice of accepted, half clean", pooled(types=HALF), "dice"),
    ("Clean: coverage", CLEAN, "coverage"),
    ("Clean: Dice of accepted", CLEAN, "dice"),
    ("Clean: cost of the reformer", CLEAN, "clean_cost"),
)


def informed_attacker(numbers: PaperNumbers) -> Iterator[Table]:
    """What passes each guard of an attacker who knows it, beside what passes it without an attack."""
    targets = [MEAN, *numbers.targets]
    known = select(numbers.guards, knows_guard="yes")
    for (detector, reformer), rows in known.groupby(["detector", "reformer"], sort=False):
        clean = select(numbers.guards, detector=detector, reformer=reformer, form=CLEAN)
        here = pd.concat([rows, clean])
        attacks = list(here["attack"].unique())
        bad = numbers.pivot(here, "accepted_and_bad", ("attack", attacks), ("target", targets))
        lines = []
        for attack, cells in zip(attacks, bad, strict=True):
            mean = select(here, attack=attack, target=MEAN)
            others = [numbers.first(mean, name) for name in ("coverage", "dice", "soft_dice")]
            scores = select(numbers.detection, detector=detector, target=MEAN, attack=attack)
            first = select(here, attack=attack).iloc[0]
            name = "no attack" if attack == CLEAN else budget_label(first["strength"])
            lines.append([name, *cells, *others, numbers.first(scores, "auc")])
        names = ("Coverage", "Dice of accepted", "Soft Dice of accepted", "AUC of the detector")
        bad_names = (f"Accepted and bad, {target}" for target in targets)
        header = ["L2 norm", *bad_names, *(f"{name}, mean" for name in names)]
        caption = numbers.captioned("informed", f"{rows['slices'].iloc[0]} attacked slices")
        yield Table(f"Guard {detector} → {reformer}", header, lines, caption, "guards.csv")


def guards(numbers: PaperNumbers) -> Iterator[Block]:
    """Figure 4, Table 2 for each target network, risk and coverage."""
    text = "One panel for each target network: Dice of the slices that each pair accepts, and the share of these."
    yield from numbers.picture("figure_4", "Figure 4: Dice of accepted slices", text)
    for target in (MEAN, *numbers.targets):
        yield _table_2(numbers, target)
    text = "One panel for each target network: share of bad slices among the accepted ones against coverage."
    yield from numbers.picture("risk_coverage", "Risk and coverage", text)
    yield TEXTS["elsewhere"]["guards"]


def _table_2(numbers: PaperNumbers, target: str) -> Table:
    here = select(numbers.guards, target=target)
    informed = select(here, knows_guard="yes", strength=1.0)
    rows = []
    for guard in select(here, attack=pooled())["guard"]:
        sources = {INFORMED: select(informed, guard=guard)}
        sources |= {attack: select(here, guard=guard, attack=attack) for _, attack, _ in _TABLE_2 if attack != INFORMED}
        rows.append([guard, *(numbers.first(sources[attack], name) for _, attack, name in _TABLE_2)])
    header = ("Detector → reformer", *(title for title, _, _ in _TABLE_2))
    caption = numbers.captioned("guards", numbers.pooled_slices)
    return Table(f"Table 2, {target_label(target)}", header, rows, caption, "guards.csv")
