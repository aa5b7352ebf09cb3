from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.attacks.objectives import jensen_shannon
from tests.attacks.objectives.pixel_by_pixel import LOGITS, TARGETS, summed


def _divergence(probabilities, wanted):
    middle = [(p + (k == wanted)) / 2 for k, p in enumerate(probabilities)]
    shares = zip(probabilities, middle, strict=True)
    return (math.log(1 / middle[wanted]) + sum(p * math.log(p / m) for p, m in shares)) / 2


def test_jensen_shannon_is_the_mean_of_two_divergences_to_the_middle():
    torch.testing.assert_close(jensen_shannon(LOGITS, TARGETS), summed(_divergence), rtol=1e-6, atol=1e-6)


def test_a_pixel_that_is_lost_for_good_adds_log_2_and_no_gradient():
    logits = torch.tensor([[[0.0], [100.0]]], dtype=torch.float64, requires_grad=True)
    loss = jensen_shannon(logits, torch.tensor([[0]]))
    assert loss.tolist() == pytest.approx([math.log(2)])
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    assert gradient.abs().max() < 1e-12
