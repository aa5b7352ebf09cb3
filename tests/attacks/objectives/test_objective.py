from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.attacks import objectives
from monai_advdefense.attacks.objectives.objective import with_label
from tests.attacks.objectives.pixel_by_pixel import LOGITS, TARGETS

ALL = [
    objectives.balanced_cross_entropy,
    objectives.boundary,
    objectives.cospgd,
    objectives.cross_entropy,
    objectives.dag_logit,
    objectives.jensen_shannon,
    objectives.masked_cross_entropy,
    objectives.segpgd,
    objectives.soft_dice,
    objectives.structure_margin,
]


@pytest.mark.parametrize("objective", ALL)
def test_objectives_ignore_pixels_that_are_not_targeted_and_rise_as_pixels_are_lost(objective):
    """All of them speak of images one by one, and say more where the prediction is worse."""
    label = torch.zeros(2, 4, 4, dtype=torch.long)
    label[:, 1:3, 1:3] = 1
    right = 3 * nn.functional.one_hot(label, 3).movedim(-1, 1).double()
    wrong = 3 * nn.functional.one_hot(2 - label, 3).movedim(-1, 1).double()
    rising = [objective((1 - share) * right + share * wrong, label)[0] for share in (0, 0.2, 0.4)]
    assert rising[0] < rising[1] < rising[2]
    mixed = objective(torch.stack([right[0], wrong[1]]), label)
    torch.testing.assert_close(mixed[:1], objective(right[:1], label[:1]))
    assert not objective(right, torch.full_like(label, -100)).any()


@pytest.mark.parametrize("objective", ALL)
def test_gradients_are_finite_where_pixels_are_certain(objective):
    logits = (1e3 * LOGITS).requires_grad_()
    (gradient,) = torch.autograd.grad(objective(logits, TARGETS).sum(), logits)
    assert gradient.isfinite().all()


def test_label_is_given_to_objectives_that_ask_for_it_alone():
    label = torch.ones(1, 4, dtype=torch.long)
    assert with_label(objectives.cross_entropy, label) is objectives.cross_entropy
    assert with_label(objectives.boundary, label).keywords["label"] is label
