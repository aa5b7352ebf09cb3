from __future__ import annotations

import math

import torch

from monai_advdefense.attacks.objectives import masked_cross_entropy
from tests.attacks.objectives.pixel_by_pixel import LOGITS, TARGETS, is_right, summed


def test_masked_cross_entropy_is_the_formula_of_its_paper_pixel_by_pixel():
    expected = summed(lambda p, y: -math.log(p[y]) * is_right(p, y))
    torch.testing.assert_close(masked_cross_entropy(LOGITS, TARGETS), expected)


def test_nothing_is_spent_on_pixels_that_are_lost():
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(masked_cross_entropy(logits, TARGETS).sum(), logits)
    assert torch.equal(gradient.abs().sum(1) > 0, LOGITS.argmax(1) == TARGETS)
