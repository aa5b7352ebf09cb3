from __future__ import annotations

import csv
import io
import math
import random

import numpy as np
import pytest

from monai_advdefense.guard.batch_alarm import BatchFinding
from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.report import GroupEntry, group_headline, group_to_csv, worst_first


@pytest.fixture
def entry(make_case):
    def make(name, scores, *args, **kwargs):
        return GroupEntry(name, make_case(scores, *args, **kwargs), report=f"{name}_report.html")

    return make


@pytest.fixture
def group(entry):
    """Volumes from the worst to the best."""
    return [
        GroupEntry("a broken", failure="no image"),
        GroupEntry("b broken", failure="no image"),
        entry("blank", [0.0, 0.0], blank=(0, 1)),
        entry("half rejected, higher", [0.5, 3.0]),
        entry("half rejected", [0.5, 2.0]),
        entry("half unknown", [math.nan, 0.5]),
        entry("third rejected", [0.5, 9.0, 0.5]),
        entry("accepted, near", [0.9, 0.1]),
        entry("accepted, far", [0.6, 0.6]),
    ]


def test_worst_volumes_come_first_in_whatever_order_they_are_given(group):
    shuffled = random.Random(0).sample(group, len(group))
    assert [item.name for item in worst_first(shuffled)] == [item.name for item in group]


def test_negative_scores_of_a_combination_are_ordered_by_their_distance(entry):
    near, far = entry("near", [-2.1], -2.0), entry("far", [-9.0], -2.0)
    assert worst_first([far, near]) == [near, far]
    assert math.isnan(near.highest_to_threshold)


def test_volumes_with_thresholds_of_their_own_are_ordered_by_their_excess(entry):
    near, far = entry("near", [0.9], 1.0), entry("far", [5.0], 9.0)
    assert worst_first([far, near]) == [near, far]


def test_blank_slices_and_scores_that_are_no_numbers_do_not_count(entry):
    item = entry("a", [0.2, math.nan, 5.0, 0.6, 3.0, 100.0], 2.0, blank=(5,))
    assert item.scores == pytest.approx((0.2, 5.0, 0.6, 3.0))
    assert item.median == pytest.approx(1.8)
    assert item.highest_to_threshold == pytest.approx(2.5)
    assert item.rejected_share == pytest.approx(2 / 4)
    assert item.first_rejected.index == 2


def test_a_failed_volume_has_no_numbers():
    item = GroupEntry("a", failure="no image")
    assert item.verdict == "failed"
    assert item.first_rejected is None
    assert all(map(math.isnan, (item.highest, item.median, item.threshold, item.rejected_share)))


def test_headline_counts_volumes_by_verdict(group, entry):
    assert group_headline(group) == "3 of 9 volumes need a look, 2 could not be checked, 2 failed"
    assert group_headline(group[3:5]) == "2 of 2 volumes need a look"
    assert group_headline(group[6:]) == "1 of 3 volumes needs a look"
    assert group_headline(group[-2:]) == "All 2 volumes are clean"
    assert group_headline(group[:1]) == "The only volume failed"
    assert group_headline(group[-1:]) == "The only volume is clean"
    assert group_headline([]) == "No volume was processed"


def test_csv_states_the_same_for_every_volume(group):
    text = group_to_csv(group)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["input"] for row in rows] == [item.name for item in group]
    assert [row["verdict"] for row in rows] == [item.verdict for item in group]
    failed, half, near = rows[0], rows[4], rows[7]
    assert failed.pop("reason") == "no image"
    assert {value for key, value in failed.items() if key not in ("input", "verdict")} == {""}
    assert (half["checked"], half["rejected"], half["first_rejected_slice"]) == ("2", "1", "1")
    assert [float(half[key]) for key in ("rejected_share", "highest_score", "median_score")] == [0.5, 2.0, 1.25]
    assert (near["rejected"], near["first_rejected_slice"]) == ("0", "")
    assert float(near["highest_to_threshold"]) == pytest.approx(0.9)
    assert near["report"] == "accepted, near_report.html"
    assert (rows[2]["slices"], rows[2]["checked"], rows[2]["blank"]) == ("2", "0", "2")
    assert "nan" not in text


def test_the_first_slice_can_be_the_first_rejected(entry):
    (row,) = csv.DictReader(io.StringIO(group_to_csv([entry("a", [3.0, 0.5])])))
    assert row["first_rejected_slice"] == "0"


def test_verdicts_of_a_screen_are_ordered_and_told(make_screened, entry):
    dice = PredictedDice(np.array([[0.8, 0.7, 0.9]]), (0.8, 0.75, 0.85))
    clean, review, reject = (
        GroupEntry(name, make_screened(name, cause, dice))
        for name, cause in (("clean", ""), ("review", "ghosting"), ("reject", "smooth"))
    )
    ordered = worst_first([clean, entry("far above", [9.0]), review, reject])
    assert [item.name for item in ordered] == ["reject", "far above", "review", "clean"]
    headline = "1 of 4 volumes is not to be used, 2 need a look"
    assert group_headline(ordered) == headline
    rows = list(csv.DictReader(io.StringIO(group_to_csv(ordered))))
    assert [row["verdict"] for row in rows] == ["reject", "review", "review", "clean"]
    assert [row["cause"] for row in rows] == ["smooth", "", "ghosting", ""]
    assert [row["p_value"] for row in rows] == ["0.25", "", "0.25", "0.25"]
    assert [row["expected_rejected"] for row in rows] == ["0.1", "", "0.1", "0.1"]
    told = [rows[0][name] for name in ("predicted_dice", "predicted_dice_low", "predicted_dice_high", "not_judged")]
    assert told == ["0.8", "0.75", "0.85", "1"]


@pytest.mark.parametrize(("flagged", "said"), [(9, "too many suspicious: 9 of 30 "), (1, "as expected: 1 of 30 ")])
def test_csv_says_in_each_row_whether_the_volumes_together_are_suspicious(group, flagged, said):
    batch = BatchFinding(flagged, 30, rate=0.05, subjects=20, level=0.01)
    rows = list(csv.DictReader(io.StringIO(group_to_csv(group, batch=batch))))
    assert len(rows) == len(group)
    assert {row["batch"] for row in rows} == {batch.line}
    assert batch.line.startswith(said)
