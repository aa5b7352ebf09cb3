from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.attacks import composed_attack, square, standard_attacks
from monai_advdefense.attacks.quality import mean_dice

ATTACKS = {"composed_attack": composed_attack, "square": square, **standard_attacks(n_steps=2, n_queries=4)}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attacks_with_a_budget_take_all_options_of_the_call_form(attack):
    torch.manual_seed(0)
    network = nn.Conv2d(1, 1, 3, padding=1)
    image = torch.rand(2, 1, 6, 6)
    label = (network(image) > 0)[:, 0].long()
    label[:, 0] = 255
    options = {
        "mask": torch.ones(1, 1, 6, 6),
        "bounds": (0.0, 1.0),
        "include_background": True,
        "activation": "sigmoid",
        "logits_of": lambda output: output[0],
        "ignore_index": 255,
        "quality": mean_dice,
        "generator": torch.Generator().manual_seed(0),
    }
    start = attack(nn.Sequential(network, Pair()), image, label, budget=0.05, **options).parameters
    budget = torch.tensor([0.1, 0.2])
    found = attack(nn.Sequential(network, Pair()), image, label, budget=budget, start=start, **options)
    change = (found.image - image).abs().flatten(1).amax(1)
    assert found.image.shape == image.shape
    assert (change <= budget + 1e-6).all()
    assert found.parameters.shape == start.shape


class Pair(nn.Module):
    def forward(self, logits):
        return logits, logits
