from __future__ import annotations

import math

import torch

from monai_advdefense.attacks.objectives import cross_entropy
from tests.attacks.objectives.pixel_by_pixel import LOGITS, TARGETS, summed


def test_cross_entropy_is_the_formula_pixel_by_pixel():
    torch.testing.assert_close(cross_entropy(LOGITS, TARGETS), summed(lambda p, y: -math.log(p[y])))
