"""The tables of the experiments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_curve

from experiments.attacks import INFORMED, AttackSetting
from experiments.paper.names import GUARDS, PERFECT
from experiments.paper.quantities import Named, Quantities, half_attacked, pooled
from experiments.paper.results import Floats, Results
from experiments.tables import CLEAN, Row, quantity_columns
from monai_advdefense.metrics import risk_coverage_curve

_COVERAGES = np.arange(1, 101) / 100


def detection_table(results: Results, found: Quantities) -> pd.DataFrame:
    """Table 1: each detector against each attack on each target network, and the mean over these."""
    table = _table(results, found, found.detection, ("detector", "target")).rename(
        columns={"slices": "attacked_slices"}
    )
    if table.empty:
        return table
    table.insert(table.columns.get_loc("attacked_slices"), "clean_slices", len(results.subject))
    thresholds = [found.thresholds.get((detector, target), math.nan) for detector, target, _ in found.detection]
    table.insert(table.columns.get_loc("subjects") + 1, "threshold", thresholds)
    return table


def guard_table(results: Results, found: Quantities) -> pd.DataFrame:
    """Table 2 and Figure 4: no defence, each reformer by itself and each pair, under each attack on each network.

    The informed attacker comes first, and accepted-and-bad is the first quantity.
    """
    table = _table(results, found, found.guards, ("detector", "reformer", "target"))
    numbers = {pair: number for number, pair in enumerate(results.pairs, start=1)}
    table.insert(0, "pair", [numbers.get((detector, reformer), math.nan) for detector, reformer, *_ in found.guards])
    return table.sort_values("form", key=lambda form: form != INFORMED, kind="stable")


def attack_table(results: Results, found: Quantities) -> pd.DataFrame:
    """Norm of each attack and the share of targeted pixels that it flips."""
    return _table(results, found, found.attacks, ("target",)).drop(columns="knows_guard", errors="ignore")


def _table(results: Results, found: Quantities, measured: Mapping[Any, Named], keys: Sequence[str]) -> pd.DataFrame:
    """A row for each of the quantities, whose names are ``keys`` and a group of attacks.

    ``knows_guard`` marks the attacks that were made for this very detector or guard.
    """
    rows, subjects = [], len(np.unique(results.subject))
    for (*names, group), quantities in measured.items():
        setting, attacks = found.groups.get(group, (None, (CLEAN,)))
        row: Row = dict(zip(keys, names, strict=True))
        row |= {
            **setting_columns(setting),
            "knows_guard": "yes" if _is_known(setting, row) else "",
            "slices": len(results.subject) * len(attacks),
            "subjects": subjects,
        }
        rows.append(row | quantity_columns(quantities))
    return pd.DataFrame(rows)


def _is_known(setting: AttackSetting | None, row: Row) -> bool:
    """Whether an attack was made for the detector, and behind it the reformer, of a row."""
    if setting is None or setting.form != INFORMED:
        return False
    made_for = {"detector": setting.target, "reformer": GUARDS[setting.target][1]}
    return "detector" in row and all(row[name] == wanted for name, wanted in made_for.items() if name in row)


def roc_table(results: Results, found: Quantities) -> pd.DataFrame:
    """Corners of the ROC curves of each detector: all types of DAG at full strength, brain only."""
    curves = []
    for detector, target, attacks in _pooled(results, found):
        clean = results.scores[detector, target, CLEAN]
        attacked = np.concatenate([results.scores[detector, target, attack] for attack in attacks])
        truth = np.repeat([0, 1], [clean.size, attacked.size])
        false_rates, true_rates, _ = roc_curve(truth, np.concatenate([clean, attacked]))
        curves.append(_curve(detector, target, false_positive_rate=false_rates, true_positive_rate=true_rates))
    return pd.concat(curves) if curves else pd.DataFrame()


def risk_coverage_table(results: Results, found: Quantities) -> pd.DataFrame:
    """Share of bad slices among the accepted ones at about each hundredth of coverage.

    Half of the slices are clean, half attacked by the types of DAG at full strength, brain only; no reformer. The
    detector ``PERFECT`` knows which slices are bad.
    """
    curves, with_perfect = [], set()
    for detector, target, attacks in _pooled(results, found):
        scores, bad = (array.ravel() for array in half_attacked(results, detector, target, attacks))
        curves.append(_risk_coverage(detector, target, scores, bad))
        if target not in with_perfect:
            with_perfect.add(target)
            curves.append(_risk_coverage(PERFECT, target, np.argsort(np.argsort(bad, kind="stable")), bad))
    return pd.concat(curves) if curves else pd.DataFrame()


def setting_columns(setting: AttackSetting | None) -> Row:
    """Columns that name an attack; None stands for clean slices."""
    if setting is None:
        return {"form": CLEAN, "type": "", "strength": math.nan, "support": ""}
    return {"form": setting.form, "type": setting.target, "strength": setting.strength, "support": setting.support}


def _pooled(results: Results, found: Quantities) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Detector, target network and attacks of the quantities over all types of DAG."""
    for detector, target, group in found.detection:
        if group == pooled() and target in results.targets:
            yield detector, target, found.groups[group][1]


def _risk_coverage(detector: str, target: str, scores: npt.NDArray[Any], bad: npt.NDArray[Any]) -> pd.DataFrame:
    coverage, risk = risk_coverage_curve(scores.astype(float), bad)
    # Points at each hundredth; a tolerance, so that 0.3 counts as 30 of 100.
    places = np.unique(np.searchsorted(coverage, _COVERAGES - 1e-9))
    return _curve(detector, target, coverage=coverage[places], risk=risk[places])


def _curve(detector: str, target: str, **points: Floats) -> pd.DataFrame:
    return pd.DataFrame({"detector": detector, "target": target, **points})
