"""Sections of the page: the attacker who knows the guard, Table 2 and Figure 4."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.paper.blocks import Block, Table
from experiments.paper.cells import attack_name, budget_name, pick
from experiments.paper.page_numbers import FULL, Numbers, attack_of, attacks_among, guard_name, target_name
from experiments.paper.quantities import HALF, MEAN
from experiments.paper.results import CLEAN

__all__ = ["guards", "known_guard"]


def known_guard(numbers: Numbers) -> Iterator[Table]:
    """What passes each guard of an attacker who knows it, beside what passes it without an attack."""
    known = [row for row in numbers.guards if row["knows_guard"]]
    targets = [MEAN, *numbers.targets]
    for detector, reformer in dict.fromkeys((row["detector"], row["reformer"]) for row in known):
        here = [row for row in numbers.guards if (row["detector"], row["reformer"]) == (detector, reformer)]
        rows = [row for row in here if row["knows_guard"]]
        lines = []
        for attack in attacks_among([*rows, *(row for row in here if row["form"] == CLEAN)]):
            found = {target: pick(here, target=target, **attack) for target in targets}
            scores = pick(numbers.detection, detector=detector, target=MEAN, **attack)
            bad = [numbers.cell(found[target], "accepted_and_bad") for target in targets]
            others = [numbers.cell(found[MEAN], name) for name in ("coverage", "dice", "soft_dice")]
            name = "no attack" if attack["form"] == CLEAN else budget_name(attack["strength"])
            lines.append([name, *bad, *others, numbers.cell(scores, "auc")])
        names = ("Coverage", "Dice of accepted", "Soft Dice of accepted", "AUC of the detector")
        header = [
            "L2 norm",
            *(f"Accepted and bad, {target}" for target in targets),
            *(f"{name}, mean" for name in names),
        ]
        caption = numbers.caption("known_guard", f"{rows[0]['slices']} attacked slices")
        yield Table(f"Guard {detector} → {reformer}", header, lines, caption, "guards.csv")


def guards(numbers: Numbers) -> Iterator[Block]:
    """Figure 4, Table 2 for each target network, risk and coverage, and every guard under every attack."""
    text = "One panel for each target network: Dice of the slices that each pair accepts, and the share of these."
    yield from numbers.picture("figure_4", "Figure 4: Dice of accepted slices", text)
    for target in (MEAN, *numbers.targets):
        yield _table_2(numbers, target)
    text = "One panel for each target network: share of bad slices among the accepted ones against coverage."
    yield from numbers.picture("risk_coverage", "Risk and coverage", text)
    yield _areas(numbers)
    titles = {"accepted_and_bad": "Accepted and bad", "dice": "Dice of accepted slices", "coverage": "Coverage"}
    for target in numbers.targets:
        for name, title in titles.items():
            yield _by_attack(numbers, target, name, f"{title} by attack, {target_name(target)}")


def _table_2(numbers: Numbers, target: str) -> Table:
    here = [row for row in numbers.guards if row["target"] == target]
    rows = []
    for row in (row for row in here if attack_of(row) == FULL):
        same = [other for other in here if guard_name(other) == guard_name(row)]
        known = pick(same, knows_guard="yes", strength="1")
        half, clean = pick(same, **{**FULL, "type": HALF}), pick(same, form=CLEAN)
        attacked = [numbers.cell(row, name) for name in ("accepted_and_bad", "coverage", "dice", "soft_dice")]
        unattacked = [numbers.cell(clean, name) for name in ("coverage", "dice", "clean_cost")]
        bad = numbers.cell(known, "accepted_and_bad")
        rows.append([guard_name(row), bad, *attacked, numbers.cell(half, "dice"), *unattacked])
    header = (
        "Detector → reformer",
        "Accepted and bad, attacker knows it",
        "Accepted and bad",
        "Coverage",
        "Dice of accepted",
        "Soft Dice of accepted",
        "Dice of accepted, half clean",
        "Clean: coverage",
        "Clean: Dice of accepted",
        "Clean: cost of the reformer",
    )
    caption = numbers.caption("guards", numbers.pooled_slices)
    return Table(f"Table 2, {target_name(target)}", header, rows, caption, "guards.csv")


def _areas(numbers: Numbers) -> Table:
    targets = [*numbers.targets, MEAN]
    lines = [{"detector": name} for name in numbers.detectors]
    table = numbers.pivot(numbers.detection, "aurc", lines, [{"target": target, **FULL} for target in targets])
    rows = [[name, *cells] for name, cells in zip(numbers.detectors, table, strict=True)]
    caption = numbers.caption("risk_coverage", numbers.pooled_slices)
    return Table(
        "Area under the risk-coverage curve", ("Detector", *targets), rows, caption, "detection.csv", folded=True
    )


def _by_attack(numbers: Numbers, target: str, name: str, title: str) -> Table:
    """One figure of each guard under the attacks at full strength, and those of the attacker who knows a guard."""
    here = [row for row in numbers.guards if row["target"] == target]
    shown = [row for row in here if row["strength"] in ("", "1") or row["form"] == "selective_pgd"]
    attacks, every = attacks_among(shown), [row for row in here if row["form"] == CLEAN]
    lines = [{"detector": row["detector"], "reformer": row["reformer"]} for row in every]
    table = numbers.pivot(here, name, lines, attacks)
    rows = [[guard_name(row), *cells] for row, cells in zip(every, table, strict=True)]
    header = ("Detector → reformer", *map(attack_name, attacks))
    return Table(title, header, rows, numbers.caption("guards", numbers.single_slices), "guards.csv", folded=True)
