from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from experiments.screen.smooth_attacks import FIELD_LIMIT, bias_field_attack, low_pass, soft_dice_pgd
from monai_advdefense.attacks import objectives


@pytest.fixture
def case():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))
    image = 0.2 + 0.6 * torch.rand(2, 1, 32, 32)
    image[..., :8, :] = 0
    return network, image, network(image).argmax(1).masked_fill(image[:, 0] == 0, 0)


def soft_dice(network, image, label):
    return -float(objectives.soft_dice(network(image), label.masked_fill(label == 0, -100)).sum().detach())


@pytest.mark.parametrize("lowest", [None, 4])
def test_soft_dice_falls_within_the_ball_and_the_object(case, lowest):
    network, image, label = case
    found = soft_dice_pgd(network, image, label, radius=1.5, lowest=lowest)
    assert (torch.linalg.vector_norm((found - image).flatten(1), dim=1) <= 1.5).all()
    assert torch.equal(found[..., :8, :], image[..., :8, :])
    assert soft_dice(network, found, label) < soft_dice(network, image, label)


def test_low_pass_keeps_slow_waves_and_takes_fast_ones():
    place = torch.arange(32) / 32
    slow, fast = (torch.cos(2 * math.pi * periods * place).expand(1, 1, 32, 32) for periods in (3, 9))
    torch.testing.assert_close(low_pass(slow + fast, 4), slow, atol=1e-5, rtol=0)


def test_a_bias_field_lowers_the_soft_dice_by_bounded_smooth_factors(case):
    network, image, label = case
    found = bias_field_attack(network, image, label)
    factor = (found / image)[..., 8:, :].log()
    assert factor.abs().max() <= FIELD_LIMIT + 1e-5
    assert factor.diff(dim=-1).abs().max() < 0.1
    assert soft_dice(network, found, label) < soft_dice(network, image, label)
