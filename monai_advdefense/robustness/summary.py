"""The figures of a report, as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_advdefense.metrics import Interval
from monai_advdefense.robustness.measurements import Measured, Measurements
from monai_advdefense.robustness.ruin import erased_structures, ruined_images

__all__ = ["summary"]

_Json = dict[str, Any]


def summary(measurements: Measurements) -> _Json:
    """All figures, NaN as null; see the schema for what each is."""
    clean = measurements.clean
    return {
        "claims": {
            "clean": _level(measurements, clean.counts[0], 0.0),
            "worst_case": _worst_case(measurements),
        },
        "attacks": [_condition(measurements, one) for one in measurements.of_kind("attack")],
        "ruined": ruined_images(measurements),
        "erased": erased_structures(measurements),
        "corruptions": [_condition(measurements, one) for one in measurements.of_kind("corruption")],
        "guard": _guard(measurements),
    }


def _worst_case(measurements: Measurements) -> list[_Json]:
    attacks = measurements.of_kind("attack")
    if not attacks:
        return []
    budgets = attacks[0].condition.levels
    return [
        _level(measurements, counts, budget)
        for counts, budget in zip(measurements.worst_counts(), budgets, strict=True)
    ]


def _condition(measurements: Measurements, one: Measured) -> _Json:
    levels = []
    for place, level in enumerate(one.condition.levels):
        # Who attacks guard and network at once is judged by what comes out behind both.
        counts = one.counts if one.guarded is None or one.condition.kind != "guard attack" else one.guarded
        found = _level(measurements, counts[place], level)
        found["change"] = float(one.change[place].mean())
        if one.accepted is not None:
            found["rejected"] = float(1 - one.accepted[place].mean())
            found["accepted_and_bad"] = measurements.accepted_and_bad(one, place)
        levels.append(found)
    return {"name": one.condition.name, "levels": levels}


def _level(measurements: Measurements, counts: npt.NDArray[np.int64], level: float) -> _Json:
    """Mean Dice, and that of each structure, from counts ``(N, S, 3)``."""
    by_case = measurements.case_dice(counts)
    return {
        "level": level,
        "dice": as_json(measurements.mean_dice(counts)),
        "structures": {
            name: as_json(measurements.interval(by_case[:, place]))
            for place, name in enumerate(measurements.structures)
        },
    }


def _guard(measurements: Measurements) -> _Json | None:
    """What the guard does with clean images and with those of an attacker who knows it; None if there is none."""
    clean = measurements.clean
    if clean.accepted is None or clean.guarded is None:
        return None
    informed = [_condition(measurements, one) for one in measurements.of_kind("guard attack")]
    return {
        "false_alarms": float(1 - clean.accepted[0].mean()),
        "clean_behind_reformer": as_json(measurements.mean_dice(clean.guarded[0])),
        "attacks_that_know_it": informed,
    }


def as_json(interval: Interval) -> Mapping[str, float | None]:
    """An interval with null for what is not finite."""
    values = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
