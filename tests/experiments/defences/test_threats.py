from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.defences.threats import THREATS


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.name)
def test_attacks_stay_within_the_budgets_of_their_threat_which_rise(threat):
    assert list(threat.budgets) == sorted(threat.budgets)
    torch.manual_seed(0)
    network, image = nn.Conv2d(1, 3, 3, padding=1), torch.rand(2, 1, 8, 8)
    label = network(image).argmax(1)
    order = 2 if threat.norm == "l2" else torch.inf
    for attack in threat.chosen(2).values():
        found = attack(network, image, label, budget=threat.budgets[0], include_background=True)
        length = torch.linalg.vector_norm((found.image - image).flatten(1), ord=order, dim=1)
        assert (length <= threat.budgets[0] * (1 + 1e-5)).all()
        assert (length > 0).all()
