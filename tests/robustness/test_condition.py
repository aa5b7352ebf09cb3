from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from monai_advdefense.corruptions import CORRUPTIONS
from monai_advdefense.robustness import Settings
from monai_advdefense.robustness.condition import Condition, conditions, spoilt_images
from monai_advdefense.robustness.guarded import Subject
from monai_advdefense.robustness.unit_range import UnitRange

SETTINGS = Settings(budgets=(0.05, 0.2), attacks=("pgd", "square"), steps=3, changes=(0.1, 0.3))


@pytest.fixture
def case():
    """Nine images, more than attacks take at once, and their labels; the lower half is background."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)).eval()
    image = torch.rand(9, 1, 16, 16)
    image[:, :, 8:] = 0
    with torch.no_grad():
        label = network(image).argmax(1)
    return Subject(UnitRange(network, torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))), image, label


def spoilt(condition, case, **options):
    return list(spoilt_images(condition, *case, settings=SETTINGS, **{"mask": None, **options}))


def test_all_that_is_measured_has_its_levels_and_the_clean_images_come_first():
    graded = [name for name, one in CORRUPTIONS.items() if one.graded][0]
    whole = [name for name, one in CORRUPTIONS.items() if not one.graded][0]
    settings = replace(SETTINGS, corruptions=(graded, whole))
    found = conditions(settings, guarded=False)
    assert [(one.kind, one.name, one.levels) for one in found] == [
        ("clean", "clean", (0.0,)),
        ("attack", "pgd", (0.05, 0.2)),
        ("attack", "square", (0.05, 0.2)),
        ("corruption", graded, (0.1, 0.3)),
        ("corruption", whole, (0.3,)),
    ]
    guarded = conditions(settings, guarded=True)
    assert [one.name for one in guarded if one.kind == "guard attack"] == ["selective PGD"]


def test_clean_images_are_what_they_were(case):
    [(image, label)] = spoilt(Condition("clean", "clean", (0.0,)), case)
    assert image is case[1]
    assert label is case[2]


@pytest.mark.parametrize("name", ["pgd", "square"])
def test_attacked_images_keep_budget_mask_and_order(case, name):
    mask = case[1] > 0
    found = spoilt(Condition("attack", name, (0.05, 0.2)), case, mask=mask)
    for budget, (image, label) in zip((0.05, 0.2), found, strict=True):
        change = (image - case[1]).abs()
        assert change.amax() <= budget
        assert not change[~mask].any()
        assert label is case[2]
    assert (found[1][0] - case[1]).abs().amax() > 0.05


def test_an_image_is_attacked_as_it_would_be_alone(case):
    subject, image, label = case
    condition = Condition("attack", "pgd", (0.05,))
    [(together, _)] = spoilt(condition, case)
    [(alone, _)] = spoilt(condition, (subject, image[5:6], label[5:6]))
    torch.testing.assert_close(together[5:6], alone)


def test_corruptions_change_images_by_what_was_asked_and_take_labels_along(case):
    noisy = spoilt(Condition("corruption", "RF noise", (0.1, 0.3)), case)
    for change, (image, label) in zip((0.1, 0.3), noisy, strict=True):
        found = (image - case[1]).flatten(1).norm(dim=1) / case[1].flatten(1).norm(dim=1)
        torch.testing.assert_close(found, torch.full((9,), change), rtol=0.05, atol=0)
        assert torch.equal(label, case[2])
    [(image, label)] = spoilt(Condition("corruption", "mirrored", (0.3,)), case)
    assert not torch.equal(label, case[2])
    assert torch.equal(label.flatten(1).sort().values, case[2].flatten(1).sort().values)
