"""Sections of the page: Table 1, and the attacks with the noise of the same norm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.paper.blocks import Block, Table
from experiments.paper.cells import attack_name, pick, strength_name
from experiments.paper.claims import PAPER_AVERAGES
from experiments.paper.page_numbers import FULL, Numbers, attacks_among, target_name
from experiments.paper.page_texts import NOISE
from experiments.paper.quantities import MEAN, NO_DETECTOR, POOLED
from experiments.paper.results import NO_REFORMER
from experiments.paper.tables import Row

__all__ = ["attacks", "detection"]


def detection(numbers: Numbers) -> Iterator[Block]:
    """Table 1 with the paper's averages, ROC curves, and the rates by strength, support and attack."""
    yield _table_1(numbers)
    text = "One panel for each target network, one curve for each detector."
    yield from numbers.picture("roc", "ROC curves", text)
    pooled = attacks_among([row for row in numbers.detection if row["type"] == POOLED])
    for name, title in (("auc", "ROC-AUC"), ("tpr_at_5", "True positive rate at 5 % false positives")):
        yield _by_attack(numbers, f"{title} by strength and support", name, pooled, MEAN, folded=False)
    yield _calibrated(numbers, [row for row in pooled if row["support"] == "brain"])
    single = attacks_among([row for row in numbers.detection if row["type"] != POOLED])
    # The attacker who knows the guard comes first.
    single.sort(key=lambda attack: attack["form"] != "selective_pgd")
    for target in (MEAN, *numbers.targets):
        yield _by_attack(numbers, "ROC-AUC by attack", "auc", single, target, folded=True)


def attacks(numbers: Numbers) -> Iterator[Block]:
    """Norms, flipped pixels and what each attack leaves of the Dice without defence."""
    yield NOISE
    rows = []
    for attack in attacks_among(numbers.attacks):
        line = [attack_name(attack)]
        for target in numbers.targets:
            row = pick(numbers.attacks, target=target, **attack)
            bare = pick(numbers.guards, detector=NO_DETECTOR, reformer=NO_REFORMER, target=target, **attack)
            line += [numbers.cell(row, "norm"), numbers.cell(row, "flipped"), numbers.cell(bare, "dice")]
        rows.append(line)
    names = ("L2 norm", "flipped", "Dice without defence")
    header = ("Attack", *(f"{target}: {name}" for target in numbers.targets for name in names))
    caption = numbers.caption("attacks", f"{numbers.facts['clean_slices']} slices under each attack")
    yield Table("Attacks on each target network", header, rows, caption, "attacks.csv", folded=True)


def _table_1(numbers: Numbers) -> Table:
    targets = [*numbers.targets, MEAN]
    lines = [{"detector": detector} for detector in numbers.detectors]
    table = numbers.pivot(numbers.detection, "auc", lines, [{"target": target, **FULL} for target in targets])
    rows = []
    for detector, cells in zip(numbers.detectors, table, strict=True):
        known = pick(numbers.detection, detector=detector, target=MEAN, knows_guard="yes", strength="1")
        paper = f"{PAPER_AVERAGES[detector]:.3f}" if detector in PAPER_AVERAGES else "–"
        rows.append([detector, numbers.cell(known, "auc"), *cells, paper])
    header = ("Detector", "Attacker who knows it", *targets, "Paper, mean")
    caption = numbers.caption("detection", numbers.pooled_slices)
    return Table("ROC-AUC at full strength, brain only", header, rows, caption, "detection.csv")


def _by_attack(numbers: Numbers, title: str, name: str, attacks: Sequence[Row], target: str, *, folded: bool) -> Table:
    """One figure of each detector under several attacks."""
    lines = [{"detector": detector} for detector in numbers.detectors]
    table = numbers.pivot(numbers.detection, name, lines, [{"target": target, **attack} for attack in attacks])
    rows = [[detector, *cells] for detector, cells in zip(numbers.detectors, table, strict=True)]
    header = ("Detector", *(attack_name(attack).removeprefix(f"DAG {POOLED}, ") for attack in attacks))
    caption = numbers.caption("detection", numbers.single_slices)
    return Table(f"{title}, {target_name(target)}", header, rows, caption, "detection.csv", folded)


def _calibrated(numbers: Numbers, attacks: Sequence[Row]) -> Table:
    rows = []
    for detector in numbers.detectors:
        found = [pick(numbers.detection, detector=detector, target=MEAN, **attack) for attack in attacks]
        false_positives = numbers.cell(found[0] if found else None, "fpr")
        rows.append([detector, false_positives, *(numbers.cell(row, "tpr") for row in found)])
    strengths = (f"True positives, {strength_name(attack['strength'])}" for attack in attacks)
    caption = numbers.caption("calibrated", numbers.pooled_slices)
    title = "Rates of the calibrated threshold, brain only, mean over the target networks"
    return Table(title, ("Detector", "Realized false positives", *strengths), rows, caption, "detection.csv")
