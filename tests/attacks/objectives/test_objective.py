from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from monai_advdefense.attacks import objectives
from monai_advdefense.attacks.objectives.objective import with_label

LOGITS = torch.randn(3, 5, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGETS = torch.randint(5, (3, 6, 7), generator=torch.Generator().manual_seed(1))
TARGETS[0, :2] = -100
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


def pixels():
    """Softmax, class and image of every targeted pixel."""
    for image in range(3):
        for row in range(6):
            for column in range(7):
                wanted = int(TARGETS[image, row, column])
                if wanted >= 0:
                    logits = LOGITS[image, :, row, column]
                    yield image, (logits.exp() / logits.exp().sum()).tolist(), wanted


def summed(loss):
    sums = [0.0] * 3
    for image, probabilities, wanted in pixels():
        sums[image] += loss(probabilities, wanted)
    return torch.tensor(sums, dtype=torch.float64)


def is_right(probabilities, wanted):
    return probabilities[wanted] == max(probabilities)


def cosine(probabilities, wanted):
    return probabilities[wanted] / math.sqrt(sum(p * p for p in probabilities))


def divergence(probabilities, wanted):
    middle = [(p + (k == wanted)) / 2 for k, p in enumerate(probabilities)]
    return (
        math.log(1 / middle[wanted]) + sum(p * math.log(p / m) for p, m in zip(probabilities, middle, strict=True))
    ) / 2


@pytest.mark.parametrize(
    ("objective", "progress", "loss"),
    [
        (objectives.cross_entropy, 0.0, lambda p, y: -math.log(p[y])),
        (objectives.masked_cross_entropy, 0.0, lambda p, y: -math.log(p[y]) * is_right(p, y)),
        (objectives.segpgd, 0.0, lambda p, y: -math.log(p[y]) * is_right(p, y)),
        (objectives.segpgd, 0.6, lambda p, y: -math.log(p[y]) * (0.7 if is_right(p, y) else 0.3)),
        (objectives.cospgd, 0.0, lambda p, y: -math.log(p[y]) * cosine(p, y)),
        (objectives.jensen_shannon, 0.0, divergence),
    ],
)
def test_objective_is_the_formula_of_its_paper_pixel_by_pixel(objective, progress, loss):
    torch.testing.assert_close(objective(LOGITS, TARGETS, progress), summed(loss), rtol=1e-6, atol=1e-6)


def test_weight_of_cospgd_has_no_gradient():
    logits = LOGITS.clone().requires_grad_()
    (found,) = torch.autograd.grad(objectives.cospgd(logits, TARGETS).sum(), logits)
    probabilities = LOGITS.softmax(1)
    one_hot = nn.functional.one_hot(TARGETS.clamp_min(0), 5).movedim(-1, 1)
    weight = nn.functional.cosine_similarity(probabilities, one_hot.double(), dim=1) * (TARGETS >= 0)
    torch.testing.assert_close(found, weight[:, None] * (probabilities - one_hot))


def test_balanced_cross_entropy_gives_every_class_the_same_weight():
    found = objectives.balanced_cross_entropy(LOGITS, TARGETS)
    each = nn.functional.cross_entropy(LOGITS, TARGETS, reduction="none", ignore_index=-100)
    expected = [
        sum(each[image][TARGETS[image] == k].mean() for k in range(5) if (TARGETS[image] == k).any())
        for image in range(3)
    ]
    torch.testing.assert_close(found, torch.stack(expected))


def test_boundary_leaves_the_inside_of_structures_alone():
    targets = torch.zeros(1, 6, 7, dtype=torch.long)
    targets[:, :, 3:] = 1
    logits = LOGITS[:1].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objectives.boundary(logits, targets).sum(), logits)
    assert gradient[..., 2:4].abs().amin() > 0
    assert not gradient[..., :2].any()
    assert not gradient[..., 4:].any()


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


def test_the_edge_of_a_mask_is_no_outline_of_a_structure():
    label = torch.zeros(1, 8, 8, dtype=torch.long)
    label[:, 2:6, 1:7] = 1
    targets = label.masked_fill(label == 0, -100)
    targets[..., 4:] = -100  # a mask through the middle of the structure
    logits = torch.randn(1, 2, 8, 8, requires_grad=True)
    expected = torch.zeros(1, 8, 8, dtype=torch.bool)
    expected[:, 2:6, 1:4] = True
    expected[:, 3:5, 2:4] = False  # inside
    (gradient,) = torch.autograd.grad(with_label(objectives.boundary, label)(logits, targets).sum(), logits)
    assert torch.equal((gradient != 0).any(1), expected)


def test_label_is_given_to_objectives_that_ask_for_it_alone():
    label = torch.ones(1, 4, dtype=torch.long)
    assert with_label(objectives.cross_entropy, label) is objectives.cross_entropy
    assert with_label(objectives.boundary, label).keywords["label"] is label
