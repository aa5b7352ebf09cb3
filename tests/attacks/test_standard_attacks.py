from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.attacks import composed_attack, ladder, standard_attacks
from monai_advdefense.errors import InputError

BUDGETS = [0.02, 0.05, 0.1]


def case():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 3, 3, padding=1)).double()
    image = torch.rand(2, 1, 10, 10, dtype=torch.float64)
    return network, image, network(image).argmax(1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fgsm_takes_one_step_from_the_image_at_each_budget_of_a_ladder(norm):
    network, image, label = case()
    attack = standard_attacks(norm=norm)["fgsm"]
    curve = ladder(network, image, label, attack=attack, budgets=BUDGETS, include_background=True)
    for budget, rung in zip(BUDGETS, curve, strict=True):
        alone = attack(network, image, label, budget=budget, include_background=True)
        assert torch.equal(rung.image, alone.image)
        assert (rung.iterations <= 1).all()


def test_the_others_go_on_from_the_smaller_budget():
    network, image, label = case()
    network[0].weight.data *= 8  # so that gradients change on the way
    label = network(image).argmax(1)
    attack = standard_attacks(n_steps=1)["pgd"]
    first, second = ladder(network, image, label, attack=attack, budgets=BUDGETS[:2], include_background=True)
    options = {"budget": BUDGETS[1], "n_steps": 1, "include_background": True}
    expected = composed_attack(network, image, label, **options, start=first.image)
    assert torch.equal(second.image, expected.image)
    assert not torch.equal(second.image, composed_attack(network, image, label, **options).image)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_all_stay_within_one_ball_in_the_same_norm(norm):
    network, image, label = case()
    for name, attack in standard_attacks(norm=norm, n_steps=2, n_queries=5).items():
        moved = attack(network, image, label, budget=0.1, generator=torch.Generator().manual_seed(0)).image - image
        order = float("inf") if norm == "linf" else 2
        assert (torch.linalg.vector_norm(moved.flatten(1), order, dim=1) <= 0.1 + 1e-9).all(), name


def test_unknown_norms_and_no_steps_are_named():
    with pytest.raises(InputError, match="norm: expected one of l2, linf, found 'l1'"):
        standard_attacks(norm="l1")
    with pytest.raises(InputError, match="n_steps: expected at least 1, found 0"):
        standard_attacks(n_steps=0)
