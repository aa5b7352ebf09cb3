from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.report import case_from_json, case_to_csv, case_to_json

SCORES = [0.25, 2.5, math.nan, math.inf, 0.75]


def _reject_constant(name):
    raise AssertionError(f"{name} is not JSON")


def test_csv_has_one_row_per_slice_with_score_threshold_and_decision(make_case):
    rows = list(csv.DictReader(io.StringIO(case_to_csv(make_case(SCORES, blank=(4,))))))
    assert [row["slice"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [row["score"] for row in rows] == ["0.25", "2.5", "", "", "0.75"]
    assert {row["threshold"] for row in rows} == {"1.0"}
    assert [row["decision"] for row in rows] == ["accepted", "rejected", "not_checked", "not_checked", "blank"]
    assert [float(row["position_mm"]) for row in rows] == [-10, -9, -8, -7, -6]
    assert [int(row["input_index"]) for row in rows] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("threshold", [1.0, math.nan, math.inf])
def test_json_is_strict_and_agrees_with_the_case(make_case, threshold):
    case = make_case(SCORES, threshold, blank=(4,), false_positive_rate=0.05, model="guard 1.0")
    content = json.loads(case_to_json(case), parse_constant=_reject_constant)
    assert [entry["score"] for entry in content["slices"]] == [0.25, 2.5, None, None, 0.75]
    assert [entry["decision"] for entry in content["slices"]] == [record.decision for record in case.slices]
    assert content["threshold"] == (threshold if math.isfinite(threshold) else None)
    assert content["verdict"] == case.verdict != "clean"
    assert sum(content["counts"][name] for name in ("accepted", "rejected", "blank", "not_checked")) == len(SCORES)
    assert content["counts"]["slices"] == len(SCORES)
    assert content["provenance"]["false_positive_rate"] == 0.05
    assert content["provenance"]["versions"].keys() == {"monai_advdefense", "monai", "torch"}


def test_csv_of_an_uncalibrated_guard_states_no_threshold(make_case):
    rows = list(csv.DictReader(io.StringIO(case_to_csv(make_case([0.5], math.nan)))))
    assert (rows[0]["threshold"], rows[0]["decision"]) == ("", "not_checked")


@pytest.mark.parametrize("threshold", [1.0, math.nan])
def test_a_case_comes_back_from_its_json(make_case, threshold):
    case = make_case(SCORES, threshold, blank=(4,), false_positive_rate=0.05, model="guard 1.0")
    text = case_to_json(case)
    back = case_from_json(text)
    assert case_to_json(back) == text
    assert back.headline == case.headline
    # NaN is not equal to itself, and infinity became one.
    assert [record.decision for record in back.slices] == [record.decision for record in case.slices]
    assert [math.isnan(record.score) for record in back.slices] == [not math.isfinite(score) for score in SCORES]


def test_a_malformed_predicted_dice_is_refused(make_case):
    content = json.loads(case_to_json(make_case(SCORES)))
    for dice in ({"structures": []}, {"structures": {"1": 0.9}}, 0.9):
        with pytest.raises(InputError, match="expected the record of a volume's scores"):
            case_from_json(json.dumps({**content, "predicted_dice": dice}))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"input": "a.nii", "slices": [{}]}', "\x00"])
def test_another_json_is_refused(text):
    with pytest.raises(InputError, match="expected the record of a volume's scores"):
        case_from_json(text)


def test_what_a_screen_found_is_told_and_comes_back(make_screened):
    dice = PredictedDice(np.array([[0.8, 0.7, 0.9], [math.nan, 0.0, 1.0]]), (0.8, 0.75, 0.85))
    case = make_screened("reject", "smooth", dice)
    text = case_to_json(case)
    content = json.loads(text, parse_constant=_reject_constant)
    assert (content["verdict"], content["cause"], content["spoke"]) == ("reject", "smooth", "local_texture")
    assert (content["p_value"], content["judged"], content["rejected"]) == (0.25, 2, 1)
    assert content["expected_rejected"] == 0.1
    assert content["predicted_dice"] == {
        "dice": 0.8,
        "low": 0.75,
        "high": 0.85,
        "structures": {"1": {"dice": 0.8, "low": 0.7, "high": 0.9}, "2": {"dice": None, "low": 0.0, "high": 1.0}},
    }
    assert case_to_json(case_from_json(text)) == text
    assert case_from_json(text).found == case.found
    rows = list(csv.DictReader(io.StringIO(case_to_csv(case))))
    assert [row["decision"] for row in rows] == ["accepted", "rejected", "not_judged"]
    assert [(row["spoke"], row["cause"]) for row in rows] == [("", ""), ("local_texture", "smooth"), ("", "")]
