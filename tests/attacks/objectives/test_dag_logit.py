from __future__ import annotations

import torch

from monai_advdefense.attacks.objectives import dag_logit
from tests.attacks.objectives.pixel_by_pixel import LOGITS, TARGETS


def test_the_logits_of_right_pixels_are_pushed_down_and_no_others():
    logits = LOGITS.clone().requires_grad_()
    loss = dag_logit(logits, TARGETS)
    right = LOGITS.argmax(1) == TARGETS
    expected = [-sum(LOGITS[image, :, right[image]].amax(0).tolist()) for image in range(3)]
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    assert torch.equal(gradient.amin(1) == -1, right)
    assert torch.equal(gradient.sum(1), -right.double())  # nothing else has a gradient
