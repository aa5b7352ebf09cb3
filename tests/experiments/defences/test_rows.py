from __future__ import annotations

import numpy as np
import pytest

from experiments.defences.measured import Attacked, Measured
from experiments.defences.rows import rows_of
from experiments.defences.threats import Threat

NONE = float("nan")


def _rows(clean_accepted, dice, accepted):
    clean = np.array([0.9, 0.8, 0.7, 0.6])
    attacked = Attacked(np.array(dice), _structures(dice), np.array(accepted))
    passing = np.where(clean_accepted, clean, NONE)
    passing = Attacked(passing, _structures(passing), np.array(clean_accepted))
    measured = Measured(clean, _structures(clean), passing, {"L2": [attacked]})
    return rows_of("guard", measured, [Threat("L2", (1.0,), "l2")], ["a", "a", "b", "c"], passes=2.5)


def _structures(dice):
    """One structure that is never hit, one that is, and one that the labels do not have."""
    fixed = np.where(np.isnan(dice), NONE, 0.9)
    return np.stack([fixed, 2 * np.array(dice) - fixed, np.full(len(dice), NONE)], axis=1)


def test_dice_and_coverage_are_those_of_what_passes():
    clean, attacked = _rows([True, True, False, True], [0.9, NONE, 0.3, 0.5], [True, False, True, True])
    assert clean["dice"] == pytest.approx((0.9 + 0.8 + 0.6) / 3)
    assert (clean["accepted"], clean["accepted_and_bad"]) == (0.75, 0)
    assert attacked["dice"] == pytest.approx((0.9 + 0.3 + 0.5) / 3)
    assert attacked["accepted"] == 0.75


def test_bad_is_what_passes_and_lost_more_than_a_tenth_also_where_the_clean_slice_is_rejected():
    _, attacked = _rows([True, True, False, True], [0.79, NONE, 0.3, 0.51], [True, False, True, True])
    assert attacked["accepted_and_bad"] == 0.5


def test_structures_are_counted_one_by_one_among_those_that_the_label_has():
    clean, attacked = _rows([True] * 4, [0.9, NONE, 0.3, 0.56], [True, False, True, True])
    assert clean["structures_bad"] == 0
    assert attacked["structures_bad"] == pytest.approx((0 + 0 + 1 / 2 + 0) / 4)
    assert clean["passes"] == attacked["passes"] == 2.5
