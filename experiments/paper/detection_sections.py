"""The section of the page about detection: Table 1, and the rates by strength and support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from experiments.pages.blocks import Block, Table
from experiments.pages.cells import strength_label
from experiments.paper.names import MEAN, POOLED
from experiments.paper.paper_numbers import PaperNumbers, labels
from experiments.paper.quantities import pooled
from experiments.paper.texts import TEXTS
from experiments.tables import select


def detection(numbers: PaperNumbers) -> Iterator[Block]:
    """Table 1 with the paper's averages, ROC curves, and the rates by strength and support."""
    yield _table_1(numbers)
    text = "One panel for each target network, one curve for each detector."
    yield from numbers.picture("roc", "ROC curves", text)
    types = labels(select(numbers.detection, type=POOLED))
    short = {name: label.removeprefix(f"DAG {POOLED}, ") for name, label in types.items()}
    for name, title in (("auc", "ROC-AUC"), ("tpr_at_5", "True positive rate at 5 % false positives")):
        yield _by_strength(numbers, title, name, short)
    yield _calibrated(numbers)
    yield TEXTS["elsewhere"]["detection"]


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


def _by_strength(numbers: PaperNumbers, title: str, name: str, attacks: Mapping[str, str]) -> Table:
    """One quantity of each detector under all types of DAG together, of which ``attacks`` are names and labels."""
    here = select(numbers.detection, target=MEAN)
    table = numbers.pivot(here, name, ("detector", numbers.detectors), ("attack", list(attacks)))
    rows = [[detector, *cells] for detector, cells in zip(numbers.detectors, table, strict=True)]
    title = f"{title} by strength and support, mean over the target networks"
    caption = numbers.captioned("detection", numbers.single_slices)
    return Table(title, ("Detector", *attacks.values()), rows, caption, "detection.csv")


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
