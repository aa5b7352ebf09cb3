from __future__ import annotations

from functools import partial

import pytest
import torch
from monai.networks.nets import UNet

from monai_advdefense.attacks import composed_attack, ladder
from monai_advdefense.errors import InputError


def test_a_ladder_is_one_run_and_quality_never_rises():
    torch.manual_seed(0)
    net = UNet(2, 1, 4, (4, 8), (2,)).eval()
    image = torch.rand(3, 1, 16, 16)
    label = net(image).argmax(1)
    attack = partial(composed_attack, n_steps=5)
    curve = ladder(net, image, label, attack=attack, budgets=[0.005, 0.02, 0.06])
    flipped = torch.stack([rung.flipped for rung in curve])
    assert (flipped.diff(dim=0) >= 0).all()
    for rung, budget in zip(curve, [0.005, 0.02, 0.06], strict=True):
        assert (rung.image - image).abs().max() <= budget
    alone = attack(net, image, label, budget=0.06)
    assert curve[-1].flipped.mean() >= 0.9 * alone.flipped.mean()
    for budgets in ([], [0.1, 0.1], [0.2, 0.1]):
        with pytest.raises(InputError, match="budgets: expected numbers that rise"):
            ladder(net, image, label, attack=attack, budgets=budgets)
    for budgets in ([0.1, float("nan")], [0.1, float("inf")], [-0.1, 0.1], [0.1, None]):
        with pytest.raises(InputError, match="budgets: expected a finite number >= 0, found"):
            ladder(net, image, label, attack=attack, budgets=budgets)


def test_each_rung_begins_where_the_one_before_ended():
    starts = []

    def attack(network, image, label, *, budget, start, **options):
        starts.append(start)
        return composed_attack(network, image, label, budget=budget, start=start, **options)

    image = torch.tensor([[[0.6, 0.9], [0.4, 0.1]]])
    label = torch.tensor([[0, 0]])
    curve = ladder(torch.nn.Identity(), image, label, attack=attack, budgets=[0.05, 0.2], include_background=True)
    assert starts[0] is None
    assert starts[1] is curve[0].parameters
