from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from experiments.defences.threats import THREATS, Threat


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.name)
def test_attacks_stay_within_the_budgets_of_their_threat_which_rise(threat):
    assert list(threat.budgets) == sorted(threat.budgets)
    torch.manual_seed(0)
    network, image = nn.Conv2d(1, 3, 3, padding=1), torch.rand(2, 1, 8, 8)
    label = network(image).argmax(1)
    order = 2 if threat.norm == "l2" else torch.inf
    for attack in replace(threat, steps=2, n_queries=5).chosen().values():
        found = attack(network, image, label, budget=threat.budgets[0], include_background=True)
        length = torch.linalg.vector_norm((found.image - image).flatten(1), ord=order, dim=1)
        assert (length <= threat.budgets[0] * (1 + 1e-5)).all()
        assert (length > 0).all() or threat.knows == "answers"  # nothing found at random


def test_random_starts_are_the_same_each_time():
    threat = Threat("L2", (0.5,), "l2", steps=1, restarts=1)
    torch.manual_seed(0)
    network, image = nn.Conv2d(1, 3, 3, padding=1), torch.rand(2, 1, 8, 8)
    label = network(image).argmax(1)

    def attacked():
        (attack,) = threat.chosen().values()
        return attack(network, image, label, budget=0.5, include_background=True)

    found = attacked()
    torch.testing.assert_close(attacked().image, found.image)
    assert (found.iterations == 2).all()  # one step from each start
