from __future__ import annotations

import math

import torch
from torch import nn

from monai_advdefense.attacks.objectives import cospgd
from tests.attacks.objectives.pixel_by_pixel import LOGITS, TARGETS, summed


def test_cospgd_is_the_formula_of_its_paper_pixel_by_pixel():
    expected = summed(lambda p, y: -math.log(p[y]) * p[y] / math.hypot(*p))
    torch.testing.assert_close(cospgd(LOGITS, TARGETS), expected)


def test_its_weight_has_no_gradient():
    logits = LOGITS.clone().requires_grad_()
    (found,) = torch.autograd.grad(cospgd(logits, TARGETS).sum(), logits)
    probabilities = LOGITS.softmax(1)
    one_hot = nn.functional.one_hot(TARGETS.clamp_min(0), 5).movedim(-1, 1)
    weight = nn.functional.cosine_similarity(probabilities, one_hot.double(), dim=1) * (TARGETS >= 0)
    torch.testing.assert_close(found, weight[:, None] * (probabilities - one_hot))
