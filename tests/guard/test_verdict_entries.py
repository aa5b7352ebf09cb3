from __future__ import annotations

import json
import math

import numpy as np

from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.guard.verdict import VolumeVerdict
from monai_advdefense.guard.verdict_entries import verdict_entries


def test_strict_json_holds_what_is_not_finite_as_null():
    verdict = VolumeVerdict("not_checked", "", "no", "", math.nan, 0, 0, math.nan)
    dice = PredictedDice(np.array([[0.5, 0.25, 0.75], [math.nan, 0.0, 1.0]]), (0.5, 0.0, 1.0))
    found = json.loads(json.dumps(verdict_entries(verdict, dice), allow_nan=False))
    assert (found["p_value"], found["expected_rejected"]) == (None, None)
    assert found["predicted_dice"] == {
        "dice": 0.5,
        "low": 0.0,
        "high": 1.0,
        "structures": {"1": {"dice": 0.5, "low": 0.25, "high": 0.75}, "2": {"dice": None, "low": 0.0, "high": 1.0}},
    }


def test_without_a_screen_nothing_is_said():
    found = verdict_entries(None, None)
    assert set(found.values()) == {"", None}
    assert found["predicted_dice"] is None
