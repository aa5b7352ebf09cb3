from __future__ import annotations

import json
import math

import numpy as np
import pytest

from monai_advdefense.metrics import Interval
from monai_advdefense.robustness.measurements import Measurements
from monai_advdefense.robustness.summary import as_json, summary
from tests.robustness.shared_voxels import counts_of, measured


def _measurements(*conditions, guard=None):
    clean = measured("clean", "clean", [[[10, 8], [10, 6]]], levels=(0.0,), **(guard or {}))
    return Measurements(np.array([0, 1]), ["a", "b"], ["left", "right"], [clean, *conditions])


def _estimates(levels):
    return [level["dice"]["estimate"] for level in levels]


def test_claims_are_those_of_clean_images_and_of_the_worst_attack_on_each():
    first = measured("attack", "first", [[[8, 8], [10, 6]], [[2, 2], [10, 6]]], change=[[0.1, 0.3], [0.2, 0.4]])
    second = measured("attack", "second", [[[10, 8], [4, 2]], [[10, 8], [6, 6]]])
    found = summary(_measurements(first, second))
    assert found["claims"]["clean"]["level"] == 0
    assert found["claims"]["clean"]["dice"]["estimate"] == pytest.approx((0.9 + 0.8) / 2)
    right = found["claims"]["clean"]["structures"]["right"]
    assert (right["estimate"], right["low"], right["high"]) == pytest.approx((0.7, 0.6, 0.8))
    assert [level["level"] for level in found["claims"]["worst_case"]] == [0.01, 0.02]
    assert _estimates(found["claims"]["worst_case"]) == pytest.approx([(0.8 + 0.3) / 2, (0.2 + 0.3) / 2])
    assert [one["name"] for one in found["attacks"]] == ["first", "second"]
    assert [level["change"] for level in found["attacks"][0]["levels"]] == pytest.approx([0.2, 0.3])
    assert "rejected" not in found["attacks"][0]["levels"][0]
    assert (found["corruptions"], found["guard"]) == ([], None)


def test_without_attacks_there_is_no_worst_case():
    found = summary(_measurements(measured("corruption", "darker", [[[9, 9], [9, 9]]])))
    assert (found["claims"]["worst_case"], found["attacks"]) == ([], [])
    assert _estimates(found["corruptions"][0]["levels"]) == pytest.approx([0.9])


def test_a_guard_is_judged_by_what_it_rejects_and_by_what_comes_out_behind_it():
    behind = {"guarded": counts_of([[[9, 7], [9, 5]]]), "accepted": np.array([[True, True]])}
    known = {"guarded": counts_of([[[1, 1], [9, 6]]]), "accepted": np.array([[True, True]])}
    blind = measured(
        "attack", "pgd", [[[0, 0], [0, 0]]], guarded=counts_of([[[1, 1], [9, 6]]]), accepted=np.array([[False, True]])
    )
    found = summary(
        _measurements(blind, measured("guard attack", "selective PGD", [[[5, 5], [5, 5]]], **known), guard=behind)
    )
    assert found["guard"]["false_alarms"] == 0
    assert found["guard"]["clean_behind_reformer"]["estimate"] == pytest.approx((0.8 + 0.7) / 2)
    (informed,) = found["guard"]["attacks_that_know_it"][0]["levels"]
    assert informed["dice"]["estimate"] == pytest.approx((0.1 + 0.75) / 2)  # behind the guard, not without it
    assert (informed["rejected"], informed["accepted_and_bad"]) == (0.0, 0.5)
    (level,) = found["attacks"][0]["levels"]
    assert (level["dice"]["estimate"], level["rejected"], level["accepted_and_bad"]) == (0.0, 0.5, 0.0)


def test_what_is_not_finite_is_null():
    found = as_json(Interval(np.float64(0.5), math.nan, math.inf))
    assert found == {"estimate": 0.5, "low": None, "high": None}
    assert json.dumps(found)
