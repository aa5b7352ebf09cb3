from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_advdefense.report import case_from_scores, slice_positions

NAN = math.nan


@pytest.mark.parametrize(
    ("scores", "threshold", "blank", "verdict", "headline"),
    [
        ([0.1, 0.5, 1.0], 1.0, (), "clean", "All 3 slices were accepted"),
        ([0.1, 2.0, 3.0], 1.0, (), "review", "2 of 3 slices were rejected"),
        ([2.0], 1.0, (), "review", "1 of 1 slice was rejected"),
        ([0.1, 2.0, NAN], 1.0, (), "review", "1 of 2 slices was rejected, 1 more could not be checked"),
        ([0.1, NAN, math.inf], 1.0, (), "not_checked", "2 of 3 slices could not be checked"),
        ([0.1, 0.2], NAN, (), "not_checked", "This volume was not checked"),
        ([0.1, 0.2], math.inf, (), "not_checked", "This volume was not checked"),
        ([9.0, 9.0], 1.0, (0, 1), "not_checked", "This volume was not checked"),
        ([9.0, 0.5], 1.0, (0,), "clean", "The only slice was accepted"),
        ([], 1.0, (), "not_checked", "This volume was not checked"),
    ],
)
def test_verdict_follows_the_slices(make_case, scores, threshold, blank, verdict, headline):
    case = make_case(scores, threshold, blank)
    assert case.verdict == verdict
    assert case.headline == headline


def test_decisions_are_those_of_the_detector_and_not_recomputed():
    positions = [(0.0, None)] * 3
    kept, empty = torch.tensor([True, False, True]), torch.tensor([False, False, True])
    case = case_from_scores(
        torch.tensor([0.5, 0.5, 0.5]),
        kept,
        empty,
        threshold=1.0,
        positions=positions,
        input_path="",
        segmentation_path="",
    )
    assert [record.decision for record in case.slices] == ["accepted", "rejected", "blank"]


def test_no_decision_counts_without_a_finite_threshold_and_score():
    everything = torch.tensor([True, True])
    for score, threshold in ((0.5, NAN), (NAN, 1.0)):
        case = case_from_scores(
            torch.tensor([score, score]), everything, ~everything, threshold=threshold, positions=[(0.0, 0)] * 2,
            input_path="", segmentation_path="",
        )  # fmt: skip
        assert {record.decision for record in case.slices} == {"not_checked"}
        assert case.verdict == "not_checked"


def test_number_of_slices_must_agree():
    flags = torch.tensor([True, True])
    with pytest.raises(ValueError, match="zip"):
        case_from_scores(
            torch.ones(2), flags, flags, threshold=1.0, positions=[(0.0, 0)], input_path="", segmentation_path=""
        )


def test_rounding_keeps_neighboring_float32_scores_apart(make_case):
    score = torch.tensor(12.3456789)
    above = torch.nextafter(score, torch.tensor(torch.inf))
    case = make_case([score.item(), above.item()], threshold=score.item())
    assert case.slices[0].score == case.threshold < case.slices[1].score
    assert [np.float32(record.score) for record in case.slices] == [np.float32(score), np.float32(above)]


def test_most_suspicious_are_unknown_then_highest_and_never_blank(make_case):
    case = make_case([0.1, 5.0, NAN, 0.9, 7.0], blank=(4,))
    assert [record.index for record in case.most_suspicious(3)] == [2, 1, 3]
    assert len(case.most_suspicious(10)) == 4


def test_slices_without_any_score_are_shown_from_all_over_the_volume(make_case):
    case = make_case([NAN] * 9)
    assert [record.index for record in case.most_suspicious(2)] == [2, 6]
    assert [record.index for record in case.most_suspicious(10)] == list(range(9))
    assert case.most_suspicious(0) == ()


def test_positions_of_a_flipped_and_resampled_input():
    # The input counts slices from anterior to posterior at 2 mm along its first axis; the volume is RAS at 1 mm.
    input_affine = np.array([[0, -1.0, 0, 90], [-2.0, 0, 0, 50], [0, 0, 1.5, -60], [0, 0, 0, 1]])
    affine = np.array([[1.0, 0, 0, -20], [0, 1, 0, -30], [0, 0, 1, -40], [0, 0, 0, 1]])
    axis, positions = slice_positions(affine, (40, 5, 60), 1, input_affine)
    assert axis == "y"
    assert [position for position, _ in positions] == [-30, -29, -28, -27, -26]
    assert [index for _, index in positions] == [40, 40, 39, 38, 38]  # (50 - y) / 2, ties to even


def test_positions_of_an_oblique_volume_are_those_of_slice_centers():
    angle = 0.3
    rotation = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = rotation, [5, 6, 7]
    axis, positions = slice_positions(affine, (10, 4, 21), 1)
    expected = [(affine @ [4.5, j, 10, 1])[1] for j in range(4)]
    assert axis == "y"
    assert [position for position, _ in positions] == pytest.approx(expected, abs=1e-3)
    assert {index for _, index in positions} == {None}


def test_the_slices_of_the_input_are_counted_along_its_nearest_axis_however_thick_they_are():
    angle = np.deg2rad(25)
    rotation = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    input_affine = np.eye(4)
    input_affine[:3, :3] = rotation @ np.diag([0.5, 4.0, 0.5])
    _, positions = slice_positions(np.eye(4), (10, 40, 10), 1, input_affine)
    assert [index for _, index in positions] == [
        round((np.linalg.inv(input_affine) @ [4.5, j, 4.5, 1])[1]) for j in range(40)
    ]


def test_positions_along_another_axis():
    axis, positions = slice_positions(np.diag([1.0, 1.0, 3.0, 1.0]), (4, 4, 3), 2, np.diag([1.0, 1.0, 3.0, 1.0]))
    assert axis == "z"
    assert positions == [(0.0, 0), (3.0, 1), (6.0, 2)]


@pytest.mark.parametrize(
    ("verdict", "cause", "headline", "line"),
    [
        ("clean", "", "Clean: 1 of 2 slices rejected (0.1 expected)", "clean, 1 of 2 slices rejected (0.1 expected)"),
        (
            "review",
            "ghosting",
            "Look at it: ghosts, as of motion",
            "review, ghosts, as of motion, 1 of 2 slices rejected (0.1 expected)",
        ),
        (
            "reject",
            "smooth",
            "Do not use it: a smooth image or one of low resolution",
            "reject, a smooth image or one of low resolution, 1 of 2 slices rejected (0.1 expected)",
        ),
        (
            "not_checked",
            "",
            "This volume could not be checked",
            "not_checked, score x failed: not_checked",
        ),
    ],
)
def test_the_verdict_of_a_screen_is_that_of_the_case(make_screened, verdict, cause, headline, line):
    case = make_screened(verdict, cause)
    assert (case.verdict, case.headline, case.line) == (verdict, headline, line)
    assert not case.looks_foreign
    assert [record.decision for record in case.slices] == ["accepted", "rejected", "not_judged"]
    assert [(record.spoke, record.cause) for record in case.slices] == [("", ""), ("local_texture", "smooth"), ("", "")]
    assert case.checked == 2
    assert [record.index for record in case.most_suspicious(9)] == [1, 0]


def test_more_than_half_of_the_slices_rejected_is_said_with_the_way_out(make_case):
    assert make_case([0.5, 0.5, 2.0]).line == "review, 1 of 3 slices was rejected"
    assert make_case([0.5, 2.0, 2.0]).line.endswith("these images are foreign to the guard: calibrate")
