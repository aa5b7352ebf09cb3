"""The table of a screen, of volumes whose examinations are made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from experiments.screen.conditions import CLEAN
from experiments.screen.judged import judge_alone
from experiments.screen.measured import AMONG_CLEAN
from experiments.screen.table import screen_table
from experiments.screen.targets import GROUPS, TARGETS
from tests.experiments.screen.phantom_examined import examined, part_of
from tests.guard.phantom_screen import fitted_screen

KEPT = (CLEAN, "gamma 1.5", "upside down", "DAG A, γ/8", "structure erased, norm 0.60", *AMONG_CLEAN)
CASES = [{"subject": f"P{seed}", "seed": str(seed)} for seed in (40, 41)]
INDEX = torch.tensor([8, 12, 16, 20])


class _Measured:
    """Two phantoms; attacks change nothing, everything else makes them darker."""

    cases = CASES

    def __init__(self):
        self.screen = fitted_screen()
        self.asked, self.judged_alone = [], []

    def is_kept(self, name):
        return name in KEPT

    def cases_of(self, name):
        return CASES[:1] if name == "DAG A, γ/8" else CASES

    def clean(self, case):
        return examined(int(case["seed"]))

    def spoilt(self, case, name):
        self.asked.append(name)
        return part_of(examined(int(case["seed"]), lambda image: image**3), INDEX)

    def attacked(self, case, name):
        self.asked.append(name)
        return part_of(self.clean(case), INDEX), torch.ones(len(INDEX), dtype=torch.int64)


@pytest.fixture(scope="module")
def measured():
    return _Measured()


@pytest.fixture(scope="module")
def table(measured):
    def judge(screen, part, native):
        measured.judged_alone.append(part)
        return judge_alone(screen, part, native)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.screen.table.judge_alone", judge)
        found = screen_table(measured, ["clean", "review", "clean"], resamples=20, kept_only=True)
    return found.set_index("condition")


def test_what_was_kept_has_a_row_in_the_order_of_the_page(table, measured):
    order = [name for names in GROUPS.values() for name in names if name in KEPT]
    assert list(table.index) == order
    assert set(measured.asked) == set(KEPT) - {CLEAN}
    assert all(name in GROUPS[table.loc[name, "group"]] for name in order)


def test_verdicts_of_subjects_left_out_stand_in_the_clean_row_alone(table):
    assert table.loc[CLEAN, "left_out_volumes"] == 3
    assert table.loc[CLEAN, "left_out_not_clean"] == 1
    assert table["left_out_volumes"].notna().sum() == 1


def test_each_condition_counts_the_slices_of_its_own_volumes(table):
    assert table.loc["DAG A, γ/8", ["slices", "volumes"]].tolist() == [4, 1]
    assert table.loc["gamma 1.5", ["slices", "volumes"]].tolist() == [8, 2]


def test_nothing_is_said_of_the_dice_of_a_brain_that_was_turned(table):
    assert table.loc["upside down"].filter(like="accepted_and_bad").isna().all()
    assert table.loc["gamma 1.5", "accepted_and_bad"] >= 0


def test_what_is_darker_as_a_whole_is_rejected_and_what_did_not_change_is_not(table):
    assert table.loc["gamma 1.5", "rejected"] == 1
    assert table.loc["structure erased, norm 0.60", "rejected"] < 0.3


def test_every_bound_stands_beside_what_was_measured_and_says_whether_it_is_met(table):
    for name in table.index:
        for target in TARGETS.get(name, ()):
            assert table.loc[name, f"{target.quantity}_wanted"] == str(target)
            value = table.loc[name].get(target.quantity)
            if isinstance(value, float) and value == value:
                assert table.loc[name, f"{target.quantity}_met"] == ("yes" if target.met(value) else "missed")


def test_a_figure_that_was_not_measured_is_neither_met_nor_missed(measured):
    only_clean = SimpleNamespace(
        cases=CASES, screen=measured.screen, clean=measured.clean, is_kept=lambda name: name == CLEAN
    )
    row = screen_table(only_clean, [], resamples=20, kept_only=True).iloc[0]
    assert "left_out_not_clean" not in row
    assert row["left_out_not_clean_wanted"] == "at most 2"
    assert "left_out_not_clean_met" not in row
    assert row["rejected_met"] in ("yes", "missed")


def test_attacks_and_what_spoils_few_slices_are_judged_among_the_clean_ones(table, measured):
    assert len(measured.judged_alone) == len(CASES) * len({"gamma 1.5", "upside down"})
