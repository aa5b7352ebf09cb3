from __future__ import annotations

import io
import math

import pytest
import torch

from monai_advdefense.guard import CombinedScore


def calibrated(center=(2.0, 0.1), scale=(0.5, 0.25), threshold=1.0):
    combination = CombinedScore()
    for name, value in (("center", center), ("scale", scale), ("threshold", threshold)):
        getattr(combination, name).copy_(torch.tensor(value))
    return combination


def test_adds_the_standardized_scores():
    combined = calibrated()(torch.tensor([2.0, 3.0, 1.5]), torch.tensor([0.1, 0.35, 0.6]))
    torch.testing.assert_close(combined, torch.tensor([0.0, 3.0, 1.0]))


def test_a_new_one_is_not_calibrated_and_accepts_nothing():
    combination = CombinedScore()
    assert {name: tuple(buffer.shape) for name, buffer in combination.named_buffers()} == {
        "center": (2,),
        "scale": (2,),
        "threshold": (),
    }
    assert all(buffer.isnan().all() and buffer.dtype == torch.float32 for buffer in combination.buffers())
    score = combination(torch.ones(2), torch.ones(2))
    assert combination.decide(torch.tensor([[[0.0]], [[1.0]]]), score).tolist() == [False, False]


@pytest.mark.parametrize("name", ["center", "scale", "threshold"])
def test_nothing_is_accepted_while_one_number_is_missing(name):
    combination = calibrated()
    getattr(combination, name).fill_(math.nan)
    score = combination(torch.tensor([2.0, 2.0]), torch.tensor([0.1, 0.1]))
    assert not combination.decide(torch.tensor([[[0.0]], [[1.0]]]), score).any()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_score_that_is_not_finite_is_never_accepted(value, kind):
    combination = calibrated(threshold=1e30)
    scores = [torch.tensor([2.0, 2.0, 2.0]), torch.tensor([0.1, 0.1, 0.1])]
    scores[kind][1:] = value
    image = torch.tensor([1.0, 1.0, 0.0]).reshape(3, 1, 1)
    assert combination.decide(image, combination(*scores)).tolist() == [True, False, False]


def test_travels_in_the_state_dict_and_in_torchscript():
    combination = calibrated()
    other = CombinedScore()
    other.load_state_dict(combination.state_dict(), strict=True)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(combination), buffer)
    buffer.seek(0)
    scripted = torch.jit.load(buffer)
    scores, image = (torch.tensor([2.0, 4.0]), torch.tensor([0.1, 0.2])), torch.ones(2, 1, 3, 3)
    for each in (other, scripted):
        assert torch.equal(each(*scores), combination(*scores))
        assert each.decide(image, each(*scores)).tolist() == [True, False]
