from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.attacks.objectives import segpgd
from tests.attacks.objectives.pixel_by_pixel import LOGITS, TARGETS, is_right, summed


@pytest.mark.parametrize(("progress", "right", "wrong"), [(0.0, 1.0, 0.0), (0.6, 0.7, 0.3)])
def test_segpgd_is_the_formula_of_its_paper_pixel_by_pixel(progress, right, wrong):
    expected = summed(lambda p, y: -math.log(p[y]) * (right if is_right(p, y) else wrong))
    torch.testing.assert_close(segpgd(LOGITS, TARGETS, progress), expected)
