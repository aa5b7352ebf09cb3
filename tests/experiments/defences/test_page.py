from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.defences.measured import Attacked, Measured
from experiments.defences.page import page, rows_of
from experiments.defences.threats import THREATS, Threat

DOCS = Path(__file__).parents[3] / "docs"
NONE = float("nan")


def _rows(clean_accepted, dice, accepted):
    clean = np.array([0.9, 0.8, 0.7, 0.6])
    passing = Attacked(np.where(clean_accepted, clean, NONE), np.array(clean_accepted))
    measured = Measured(clean, passing, {"L2": [Attacked(np.array(dice), np.array(accepted))]})
    return rows_of("guard", measured, [Threat("L2", (1.0,), "l2")], ["a", "a", "b", "c"])


def test_dice_and_coverage_are_those_of_what_passes():
    clean, attacked = _rows([True, True, False, True], [0.9, NONE, 0.3, 0.5], [True, False, True, True])
    assert clean["dice"] == pytest.approx((0.9 + 0.8 + 0.6) / 3)
    assert (clean["accepted"], clean["accepted_and_bad"]) == (0.75, 0)
    assert attacked["dice"] == pytest.approx((0.9 + 0.3 + 0.5) / 3)
    assert attacked["accepted"] == 0.75


def test_bad_is_what_passes_and_lost_more_than_a_tenth_also_where_the_clean_slice_is_rejected():
    _, attacked = _rows([True, True, False, True], [0.79, NONE, 0.3, 0.51], [True, False, True, True])
    assert attacked["accepted_and_bad"] == 0.5


def test_the_page_of_the_documentation_is_that_of_its_tables():
    assert page(DOCS / "results", THREATS) == (DOCS / "defences.md").read_text(encoding="utf-8")
