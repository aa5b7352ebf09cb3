"""Sections of the page: Table 1, and the attacks with the noise of the same norm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from experiments.attacks import INFORMED
from experiments.pages.blocks import Block, Table
from experiments.pages.cells import strength_label
from experiments.paper.names import MEAN, NO_DETECTOR, NO_REFORMER, POOLED
from experiments.paper.paper_numbers import PaperNumbers, labels, target_label
from experiments.paper.quantities import pooled
from experiments.paper.texts import TEXTS
from experiments.tables import select


def detection(numbers: PaperNumbers) -> Iterator[Block]:
    """Table 1 with the paper's averages, ROC curves, and the rates by strength, support and attack."""
    yield _table_1(numbers)
    text = "One panel for each target network, one curve for each detector."
    yield from numbers.picture("roc", "ROC curves", text)
    together = numbers.detection["type"] == POOLED
    types = labels(numbers.detection[together])
    short = {name: label.removeprefix(f"DAG {POOLED}, ") for name, label in types.items()}
    for name, title in (("auc", "ROC-AUC"), ("tpr_at_5", "True positive rate at 5 % false positives")):
        yield _by_attack(numbers, f"{title} by strength and support", name, short, MEAN, folded=False)
    yield _calibrated(numbers)
    # The informed attacker comes first.
    single = labels(numbers.detection[~together].sort_values("form", key=lambda form: form != INFORMED, kind="stable"))
    for target in (MEAN, *numbers.targets):
        yield _by_attack(numbers, "ROC-AUC by attack", "auc", single, target, folded=True)


def attacks(numbers: PaperNumbers) -> Iterator[Block]:
    """Norms, flipped pixels and what each attack leaves of the Dice without defence."""
    yield TEXTS["noise"]
    attacks, targets = labels(numbers.table("attacks")), numbers.targets
    bare = select(numbers.guards, detector=NO_DETECTOR, reformer=NO_REFORMER)
    columns = {
        "L2 norm": (numbers.table("attacks"), "norm"),
        "flipped": (numbers.table("attacks"), "flipped"),
        "Dice without defence": (bare, "dice"),
    }
    parts = [
        numbers.pivot(table, name, ("attack", list(attacks)), ("target", targets)) for table, name in columns.values()
    ]
    rows = [
        [label, *(part[line][column] for column in range(len(targets)) for part in parts)]
        for line, label in enumerate(attacks.values())
    ]
    header = ("Attack", *(f"{target}: {name}" for target in targets for name in columns))
    caption = numbers.captioned("attacks", f"{numbers.facts['clean_slices']} slices under each attack")
    yield Table("Attacks on each target network", header, rows, caption, "attacks.csv", folded=True)


def _table_1(numbers: PaperNumbers) -> Table:
    targets, full = [*numbers.targets, MEAN], select(numbers.detection, attack=pooled())
    table = numbers.pivot(full, "auc", ("detector", numbers.detectors), ("target", targets))
    informed = select(numbers.detection, target=MEAN, knows_guard="yes", strength=1.0)
    rows, averages = [], TEXTS["paper_averages"]
    for detector, cells in zip(numbers.detectors, table, strict=True):
        paper = f"{averages[detector]:.3f}" if detector in averages else "–"
        rows.append([detector, numbers.first(select(informed, detector=detector), "auc"), *cells, paper])
    header = ("Detector", "Informed attacker", *targets, "Paper, mean")
    caption = numbers.captioned("detection", numbers.pooled_slices)
    return Table("ROC-AUC at full strength, brain only", header, rows, caption, "detection.csv")


def _by_attack(
    numbers: PaperNumbers, title: str, name: str, attacks: Mapping[str, str], target: str, *, folded: bool
) -> Table:
    """One quantity of each detector under several attacks, given by name and label."""
    here = select(numbers.detection, target=target)
    table = numbers.pivot(here, name, ("detector", numbers.detectors), ("attack", list(attacks)))
    rows = [[detector, *cells] for detector, cells in zip(numbers.detectors, table, strict=True)]
    caption = numbers.captioned("detection", numbers.single_slices)
    header = ("Detector", *attacks.values())
    return Table(f"{title}, {target_label(target)}", header, rows, caption, "detection.csv", folded)


def _calibrated(numbers: PaperNumbers) -> Table:
    here = select(numbers.detection, target=MEAN, type=POOLED, support="brain")
    strengths = list(here["strength"].unique())
    rows = []
    for detector in numbers.detectors:
        found = select(here, detector=detector)
        true_positives = (numbers.first(select(found, strength=strength), "tpr") for strength in strengths)
        rows.append([detector, numbers.first(found, "fpr"), *true_positives])
    header = ("Detector", "Realized false positives", *(f"True positives, {strength_label(s)}" for s in strengths))
    caption = numbers.captioned("calibrated", numbers.pooled_slices)
    title = "Rates of the calibrated threshold, brain only, mean over the target networks"
    return Table(title, header, rows, caption, "detection.csv")
