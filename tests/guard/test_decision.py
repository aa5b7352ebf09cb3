from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.guard.decision import accepts, is_blank

FILLED, BLANK, DARK = torch.tensor([[0.0, 1e-6]]), torch.zeros(1, 2), torch.tensor([[-1.0, 0.0]])


def test_blank_is_what_has_no_voxel_above_0():
    image = torch.stack([FILLED, BLANK, DARK, torch.full((1, 2), math.nan)])
    assert is_blank(image).tolist() == [False, True, True, True]


@pytest.mark.parametrize("score", [-2.0, 0.0, 1.0, 1.5, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("threshold", [-1.0, 1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("image", [FILLED, BLANK, DARK])
def test_accepted_is_what_was_checked_and_scores_at_or_under_the_threshold_or_is_blank(score, threshold, image):
    checked = math.isfinite(score) and math.isfinite(threshold)
    expected = checked and (score <= threshold or image is not FILLED)
    assert accepts(image[None], torch.tensor([score]), torch.tensor(threshold)).tolist() == [expected]
