from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.settings import EPSILON, AttackSetting, attack_settings, attacked
from monai_advdefense.errors import InputError


@pytest.fixture
def batch():
    """Two slices with an empty border, and a network of three classes."""
    torch.manual_seed(0)
    image = torch.zeros(2, 1, 16, 16)
    image[..., 4:12, 4:12] = 0.2 + 0.6 * torch.rand(2, 1, 8, 8)
    label = torch.zeros(2, 16, 16, dtype=torch.int64)
    label[:, 4:8, 4:12], label[:, 8:12, 4:12] = 1, 2
    return nn.Conv2d(1, 3, 3, padding=1), image, label


def _attack(setting, batch, **options):
    generator = torch.Generator().manual_seed(0)
    return attacked(*batch, setting=setting, num_classes=3, generator=generator, **options)


def test_names_are_unique():
    names = [setting.name for setting in attack_settings()]
    assert len(names) == len(set(names))


OF_THE_NETWORK = [setting for setting in attack_settings() if setting.form != "selective_pgd"]


@pytest.mark.parametrize("setting", OF_THE_NETWORK, ids=lambda setting: setting.name)
def test_brain_support_leaves_the_background_alone(setting, batch):
    result, norm, flipped = _attack(setting, batch, norm=torch.tensor([0.3, 0.5]))
    image = batch[1]
    outside = (result - image)[image == 0]
    assert (outside == 0).all() == (setting.support == "brain")
    assert 0 <= result.min() <= result.max() <= 1
    assert norm.tolist() == pytest.approx(torch.linalg.vector_norm((result - image).flatten(1), dim=1).tolist())
    assert flipped.isnan().all() == (setting.form == "noise")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (AttackSetting("selective_pgd", "guard", 1.0, "brain"), "form: expected dag, .* found 'selective_pgd'"),
        (AttackSetting("dag", "D", 1.0, "brain"), "target: expected A, B, C or derangement, found 'D'"),
        (AttackSetting("noise", "A", 1.0, "brain"), "norm: expected the L2 norm"),
    ],
)
def test_what_is_no_attack_on_the_network_is_refused(setting, message, batch):
    with pytest.raises(InputError, match=message):
        _attack(setting, batch)


def test_a_smaller_strength_moves_less(batch):
    norms = [_attack(AttackSetting("dag", "A", strength, "brain"), batch)[1] for strength in (0.125, 1.0)]
    assert (norms[0] < norms[1]).all()


def test_noise_keeps_to_what_it_can_reach(batch):
    image = batch[1]
    _, norm, _ = _attack(AttackSetting("noise", "A", 1.0, "brain"), batch, norm=torch.tensor([0.3, 100.0]))
    room = torch.linalg.vector_norm((1 - image[1])[image[1] > 0])
    assert norm.tolist() == pytest.approx([0.3, 0.99 * float(room)], rel=1e-3)


def test_fgsm_moves_every_targeted_pixel_by_epsilon_and_pgd_finds_no_less(batch):
    _, image, label = batch
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 3, 3, padding=1))
    batch = network, image, label
    fgsm, pgd = (_attack(AttackSetting(form, "label", 1.0, "brain"), batch)[0] for form in ("fgsm", "pgd"))
    assert (fgsm - image)[:, :, 4:12, 4:12].abs().numpy() == pytest.approx(EPSILON, rel=1e-4)
    assert (pgd - image).abs().max() <= EPSILON

    def loss(pixels):
        return nn.functional.cross_entropy(network(pixels), label.masked_fill(label == 0, -100)).item()

    assert loss(pgd) >= loss(fgsm) > loss(image)
    half = _attack(AttackSetting("pgd", "label", 0.5, "brain"), batch)[0]
    assert (half - image).abs().max() <= EPSILON / 2
    assert loss(half) < loss(pgd)
