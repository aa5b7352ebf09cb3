"""The tables of the experiments as rows of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from sklearn.metrics import roc_curve

from experiments.paper.attacks import GUARDS
from experiments.paper.quantities import Quantities, half_attacked, pooled
from experiments.paper.results import CLEAN, Results
from experiments.settings import AttackSetting
from monai_advdefense.metrics import Resampled, risk_coverage_curve

__all__ = [
    "PERFECT",
    "Row",
    "attack_rows",
    "columns",
    "detection_rows",
    "guard_rows",
    "number",
    "risk_coverage_rows",
    "roc_rows",
    "setting_columns",
]

Row: TypeAlias = dict[str, str]

PERFECT = "perfect"
"""Detector in the risk-coverage curves that rejects the bad slices first."""

_COVERAGES = np.arange(1, 101) / 100


def columns(figures: Mapping[str, Resampled]) -> Row:
    """Columns of each figure: estimate, lower and upper end of its 95 % interval.

    A fourth one, ``_dropped``, counts the resamples on which the figure is not defined, if there are any. What is not
    defined at all stays empty.
    """
    row: Row = {}
    for name, figure in figures.items():
        interval = figure.interval()
        ends = {"": interval.estimate, "_low": interval.low, "_high": interval.high}
        row |= {f"{name}{end}": number(value) for end, value in ends.items()}
        if interval.dropped and np.isfinite(interval.low):
            row[f"{name}_dropped"] = str(interval.dropped)
    return row


def number(value: float) -> str:
    """Six significant digits; nothing for what is not a number."""
    return f"{value:.6g}" if np.isfinite(value) else ""


def detection_rows(results: Results, found: Quantities) -> list[Row]:
    """Table 1: each detector against each attack on each target network, and the mean over these.

    ``knows_guard`` marks the attacks that were made for this very detector.
    """
    rows = []
    for (detector, target, group), figures in found.detection.items():
        setting, attacks = found.groups[group]
        threshold = found.thresholds.get((detector, target))
        rows.append(
            {
                "detector": detector,
                "target": target,
                **setting_columns(setting),
                "knows_guard": _yes(setting.form == "selective_pgd" and setting.target == detector),
                "clean_slices": str(len(results.subject)),
                "attacked_slices": str(len(results.subject) * len(attacks)),
                "subjects": _subjects(results),
                "threshold": "" if threshold is None else number(threshold),
                **columns(figures),
            }
        )
    return rows


def guard_rows(results: Results, found: Quantities) -> list[Row]:
    """Table 2 and Figure 4: no defence, each reformer by itself and each pair, under each attack on each network.

    The attacker who knows the guard comes first, and accepted-and-bad is the first figure. ``knows_guard`` marks the
    attacks that were made for this very pair.
    """
    numbers = {pair: str(number) for number, pair in enumerate(results.pairs, start=1)}
    rows = []
    for (detector, reformer, target, group), figures in found.guards.items():
        setting, attacks = (None, (CLEAN,)) if group == CLEAN else found.groups[group]
        rows.append(
            {
                "pair": numbers.get((detector, reformer), ""),
                "detector": detector,
                "reformer": reformer,
                "target": target,
                **setting_columns(setting),
                "knows_guard": _yes(setting is not None and _is_made_for(setting, detector, reformer)),
                "slices": str(len(results.subject) * len(attacks)),
                "subjects": _subjects(results),
                **columns(figures),
            }
        )
    return sorted(rows, key=lambda row: row["form"] != "selective_pgd")


def attack_rows(results: Results, found: Quantities) -> list[Row]:
    """Norm of each attack and the share of targeted pixels that it flips."""
    return [
        {
            "target": target,
            **setting_columns(found.groups[group][0]),
            "slices": str(len(results.subject) * len(found.groups[group][1])),
            "subjects": _subjects(results),
            **columns(figures),
        }
        for (target, group), figures in found.attacks.items()
    ]


def roc_rows(results: Results, found: Quantities) -> list[Row]:
    """Corners of the ROC curves of each detector: all types of DAG at full strength, brain only."""
    rows = []
    for detector, target, group in found.detection:
        if group != pooled() or target not in results.targets:
            continue
        attacks = found.groups[group][1]
        clean = results.scores[detector, target, CLEAN]
        attacked = np.concatenate([results.scores[detector, target, attack] for attack in attacks])
        truth = np.repeat([0, 1], [clean.size, attacked.size])
        false_rates, true_rates, _ = roc_curve(truth, np.concatenate([clean, attacked]))
        rows += [
            {"detector": detector, "target": target, "false_positive_rate": number(x), "true_positive_rate": number(y)}
            for x, y in zip(false_rates, true_rates, strict=True)
        ]
    return rows


def risk_coverage_rows(results: Results, found: Quantities) -> list[Row]:
    """Share of bad slices among the accepted ones at about each hundredth of coverage.

    Half of the slices are clean, half attacked by the types of DAG at full strength, brain only; no reformer. The
    detector ``PERFECT`` knows which slices are bad.
    """
    rows = []
    targets_done = set()
    for (detector, target, group), figures in found.detection.items():
        if group != pooled() or target not in results.targets or "aurc" not in figures:
            continue
        scores, bad = half_attacked(results, detector, target, found.groups[group][1])
        rows += _curve(detector, target, scores.ravel(), bad.ravel())
        if target not in targets_done:
            targets_done.add(target)
            rank = np.argsort(np.argsort(bad.ravel(), kind="stable"))
            rows += _curve(PERFECT, target, rank.astype(float), bad.ravel())
    return rows


def _curve(detector: str, target: str, scores: np.ndarray, bad: np.ndarray) -> list[Row]:
    coverage, risk = risk_coverage_curve(scores, bad)
    # Points at each hundredth; a tolerance, so that 0.3 counts as 30 of 100.
    places = np.unique(np.searchsorted(coverage, _COVERAGES - 1e-9))
    return [
        {"detector": detector, "target": target, "coverage": number(coverage[place]), "risk": number(risk[place])}
        for place in places
    ]


def setting_columns(setting: AttackSetting | None) -> Row:
    """Columns that name an attack; None stands for clean slices."""
    if setting is None:
        return {"form": CLEAN, "type": "", "strength": "", "support": ""}
    strength = number(setting.strength)
    return {"form": setting.form, "type": setting.target, "strength": strength, "support": setting.support}


def _is_made_for(setting: AttackSetting, detector: str, reformer: str) -> bool:
    made_for = GUARDS.get(setting.target) if setting.form == "selective_pgd" else None
    return made_for is not None and (detector, reformer) == (setting.target, made_for[1])


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _subjects(results: Results) -> str:
    return str(len(np.unique(results.subject)))
