from __future__ import annotations

import io
import math

import pytest
import torch

from monai_advdefense.guard.decision import CombinedDecision, SpectralDecision, accepts

FILLED, BLANK, DARK = torch.tensor([[0.0, 1e-3]]), torch.zeros(1, 2), torch.tensor([[-1.0, 0.0]])


@pytest.mark.parametrize("score", [-2.0, 0.0, 1.0, 1.5, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("threshold", [-1.0, 1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("image", [FILLED, BLANK, DARK])
def test_accepted_is_what_was_checked_and_scores_at_or_under_the_threshold_or_is_blank(score, threshold, image):
    checked = math.isfinite(score) and math.isfinite(threshold)
    expected = checked and (score <= threshold or image is not FILLED)
    assert accepts(image[None], torch.tensor([score]), torch.tensor(threshold)).tolist() == [expected]


DECISIONS = [SpectralDecision, CombinedDecision]
IMAGE = torch.stack([FILLED, FILLED, BLANK])
USABLE = torch.tensor([True, True, True])


def calibrated(decision, threshold=1.0):
    made = decision()
    for name, value in (("center", (2.0, 0.1)), ("scale", (0.5, 0.25)), ("threshold", threshold)):
        getattr(made, name).copy_(torch.tensor(value))
    return made


def test_scores_are_standardized_and_added_or_the_first_decides():
    scores = torch.tensor([[2.0, 0.1], [3.0, 0.35], [1.5, 0.6]])
    torch.testing.assert_close(calibrated(CombinedDecision).combine(scores), torch.tensor([0.0, 3.0, 1.0]))
    torch.testing.assert_close(calibrated(SpectralDecision).combine(scores), torch.tensor([2.0, 3.0, 1.5]))


@pytest.mark.parametrize("decision", DECISIONS)
def test_each_decides_by_its_own_threshold(decision):
    made = calibrated(decision, threshold=1.0)
    decided = made(IMAGE, torch.tensor([[2.0, 0.1], [3.0, 0.35], [9.0, 9.0]]), USABLE, torch.tensor(2.5))
    assert decided.accepted.tolist() == [True, False, True]
    assert decided.blank.tolist() == [False, False, True]
    assert made.in_use(torch.tensor(2.5)) == (1.0 if decision is CombinedDecision else 2.5)


@pytest.mark.parametrize("decision", DECISIONS)
def test_what_the_segmenter_cannot_handle_is_rejected_blank_or_not(decision):
    scores = torch.tensor([[2.0, 0.1]] * 3)
    decided = calibrated(decision)(IMAGE, scores, torch.tensor([False, True, False]), torch.tensor(2.5))
    assert decided.accepted.tolist() == [False, True, False]


def test_a_new_sum_is_not_calibrated_and_accepts_nothing():
    decision = CombinedDecision()
    assert {name: tuple(buffer.shape) for name, buffer in decision.named_buffers()} == {
        "center": (2,),
        "scale": (2,),
        "threshold": (),
    }
    assert all(buffer.isnan().all() and buffer.dtype == torch.float32 for buffer in decision.buffers())
    assert not decision(IMAGE, torch.ones(3, 2), USABLE, torch.tensor(1e6)).accepted.any()


@pytest.mark.parametrize("name", ["center", "scale", "threshold"])
def test_nothing_is_accepted_while_a_number_of_the_sum_is_missing(name):
    decision = calibrated(CombinedDecision)
    getattr(decision, name).fill_(math.nan)
    assert not decision(IMAGE, torch.tensor([[2.0, 0.1]] * 3), USABLE, torch.tensor(1e6)).accepted.any()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_score_that_is_not_finite_is_never_accepted(value, kind):
    scores = torch.tensor([[2.0, 0.1]] * 3)
    scores[1:, kind] = value
    decided = calibrated(CombinedDecision, threshold=1e30)(IMAGE, scores, USABLE, torch.tensor(1e30))
    assert decided.accepted.tolist() == [True, False, False]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_image_that_is_not_finite_is_never_accepted_whatever_its_score(value):
    image = torch.zeros(2, 1, 4, 4)
    image[1, 0, 2, 3] = value
    assert accepts(image, torch.tensor([0.5, 0.5]), torch.tensor(1.0)).tolist() == [True, False]


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_travels_in_the_state_dict_and_in_torchscript(decision):
    made, other, buffer = calibrated(decision), decision(), io.BytesIO()
    other.load_state_dict(made.state_dict(), strict=True)
    torch.jit.save(torch.jit.script(made), buffer)
    buffer.seek(0)
    arguments = IMAGE, torch.tensor([[2.0, 0.1], [4.0, 0.2], [4.0, 0.2]]), USABLE, torch.tensor(2.5)
    for each in (other, torch.jit.load(buffer)):
        assert all(torch.equal(*pair) for pair in zip(each(*arguments), made(*arguments), strict=True))
        assert each(*arguments)[1].tolist() == [True, False, True]
