from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from monai_advdefense.attacks.balls.cosines import cosine_rows
from monai_advdefense.defences import TrainingAttack
from monai_advdefense.errors import InputError


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)).train()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    image = 0.2 + 0.6 * torch.rand(6, 1, 32, 32, generator=generator)
    return image, torch.randint(3, (6, 32, 32), generator=generator), torch.ones(6, 1, 32, 32, dtype=torch.bool)


def _change(attack, network, image, label, mask):
    return attack(network, image, label, mask=mask).image - image


def test_each_image_is_moved_by_a_norm_of_its_own_within_the_mask_alone(network, batch):
    image, label, mask = batch
    mask[..., :8] = False
    change = _change(TrainingAttack([0.0, 2.0]), network, image, label, mask)
    assert (change[..., :8] == 0).all()
    norms = change.flatten(1).norm(dim=1)
    assert 0 < (norms == 0).sum() < len(norms)
    assert 1.0 < norms.max() < 2.0 + 1e-4


def test_half_of_the_batches_are_changed_in_low_frequencies_alone(network, batch):
    rows = cosine_rows(12, 32, torch.zeros(1))
    attack = TrainingAttack([0.3], low_frequency_norms=[2.0])
    slow = 0
    for _ in range(12):
        change = _change(attack, network, *batch)[:, 0]
        kept = rows.T @ (rows @ change @ rows.T) @ rows
        if (kept - change).abs().max() < 1e-4:
            slow += 1
            assert change.flatten(1).norm(dim=1).max() < 2.0 + 1e-4
    assert 2 <= slow <= 10


def test_the_loss_rises_by_more_than_by_noise_of_the_same_norm(network, batch):
    image, label, mask = batch
    change = _change(TrainingAttack([2.0], steps=3), network, image, label, mask)
    noise = torch.randn_like(change)
    noise *= 2.0 / noise.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    network.eval()
    clean, noisy, attacked = (cross_entropy(network(each), label) for each in (image, image + noise, image + change))
    assert attacked - clean > 3 * abs(noisy - clean)


def test_the_network_keeps_weights_statistics_and_mode(network, batch):
    before = copy.deepcopy(network.state_dict())
    _change(TrainingAttack([1.0], low_frequency_norms=[1.0]), network, *batch)
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("norms", "low", "found"),
    [([], [], "norms"), ([-1.0], [], "norms"), ([float("nan")], [], "norms"), ([1.0], [-1.0], "low_frequency_norms")],
)
def test_norms_that_are_none_are_refused(norms, low, found):
    with pytest.raises(InputError, match=f"^{found}: "):
        TrainingAttack(norms, low_frequency_norms=low)


def test_an_attack_without_steps_is_refused():
    with pytest.raises(InputError, match="steps"):
        TrainingAttack([1.0], steps=0)
