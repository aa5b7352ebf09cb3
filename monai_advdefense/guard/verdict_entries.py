"""What a screen says of a volume, as JSON can hold it."""

from __future__ import annotations

import math
from typing import Any

from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.guard.verdict import VolumeVerdict

__all__ = ["finite_or_none", "verdict_entries"]


def verdict_entries(found: VolumeVerdict | None, dice: PredictedDice | None) -> dict[str, Any]:
    """All but the verdict itself; empty or None where nothing is known.

    Returns:
        ``cause``, ``explanation``, ``spoke``, ``p_value``, ``judged``, ``rejected``, ``expected_rejected`` and
        ``predicted_dice``, with the ends of its intervals, of the volume and of each structure by its label.

    Example:
        >>> verdict_entries(VolumeVerdict("review", "smooth", "look at it", "blur", 0.04, 160, 9, math.nan), None)
        {'cause': 'smooth', 'explanation': 'look at it', 'spoke': 'blur', 'p_value': 0.04, 'judged': 160, \
'rejected': 9, 'expected_rejected': None, 'predicted_dice': None}
    """
    return {
        "cause": found.cause if found else "",
        "explanation": found.explanation if found else "",
        "spoke": found.score if found else "",
        "p_value": finite_or_none(found.p_value) if found else None,
        "judged": found.judged if found else None,
        "rejected": found.rejected if found else None,
        "expected_rejected": finite_or_none(found.expected_rejected) if found else None,
        "predicted_dice": None if dice is None else _dice_entries(dice),
    }


def finite_or_none(value: float) -> float | None:
    """The value, or None for NaN and infinity, which strict JSON does not know."""
    return value if math.isfinite(value) else None


def _dice_entries(dice: PredictedDice) -> dict[str, Any]:
    keys = ("dice", "low", "high")
    rows = enumerate(dice.structures.tolist(), start=1)
    structures = {str(label): dict(zip(keys, map(finite_or_none, row), strict=True)) for label, row in rows}
    return {**dict(zip(keys, map(finite_or_none, dice.volume), strict=True)), "structures": structures}
