from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.attacks import (
    EPSILON,
    INFORMED,
    STRENGTHS,
    TYPES,
    AttackSetting,
    attack_settings,
    attacked,
    baseline_attack_settings,
    corruption_settings,
)
from experiments.corruptions import CORRUPTIONS, corrupted
from monai_advdefense.attacks import step_size_for
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer


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


def test_every_strength_has_all_types_on_both_supports_and_a_noise_control():
    settings = attack_settings()
    found = {(s.form, s.target, s.strength, s.support) for s in settings}
    assert len(found) == len(settings) == len({s.name for s in settings})
    for strength in STRENGTHS:
        for kind in TYPES:
            assert {("dag", kind, strength, support) for support in ("brain", "whole")} <= found
            assert ("noise", kind, strength, "brain") in found


def test_the_informed_attacker_has_each_budget_against_each_guard():
    settings = attack_settings(guards=("one", "two"))
    found = [(s.target, s.strength) for s in settings if s.form == INFORMED]
    assert found == [(guard, budget) for guard in ("one", "two") for budget in (1.0, 1 / 3, 0.1)]


def test_lists_can_be_made_shorter():
    settings = attack_settings(strengths=(1.0,), whole=(), noise="A", guards=())
    assert [setting.name for setting in settings] == [
        *(f"dag_{kind}_1_brain" for kind in TYPES),
        "xie_derangement_1_brain",
        "noise_A_1_brain",
    ]


@pytest.mark.parametrize("options", [{}, {"whole": (1.0,), "noise": "A"}, {"strengths": (1.0,)}])
def test_what_takes_its_norm_from_another_attack_comes_after_it(options):
    settings = attack_settings(**options)
    for place, setting in enumerate(settings):
        assert setting.normed_by is None or setting.normed_by in settings[:place]


@pytest.mark.parametrize(
    ("setting", "source"),
    [
        (AttackSetting("noise", "B", 0.5), "dag_B_0.5_brain"),
        (AttackSetting(INFORMED, "guard", 0.1), "dag_A_1_brain"),
        (AttackSetting("dag", "A", 0.5), None),
        (AttackSetting("pgd", "label"), None),
    ],
)
def test_norm_of_another_attack(setting, source):
    assert (setting.normed_by and setting.normed_by.name) == source


def test_baselines_are_attacked_at_full_strength_in_the_brain():
    settings = baseline_attack_settings()
    assert [setting.form for setting in settings] == ["dag", "dag", "dag", "fgsm", "pgd"]
    assert {(setting.strength, setting.support) for setting in settings} == {(1.0, "brain")}
    assert [setting.target for setting in corruption_settings()] == list(CORRUPTIONS)


OF_THE_NETWORK = [setting for setting in attack_settings() if setting.form != INFORMED] + corruption_settings()


@pytest.mark.parametrize("setting", OF_THE_NETWORK, ids=lambda setting: setting.name)
def test_brain_support_leaves_the_background_alone(setting, batch):
    result, norm, flipped = _attack(setting, batch, norm=torch.tensor([0.3, 0.5])).values()
    image = batch[1]
    outside = (result - image)[image == 0]
    assert (outside == 0).all() == (setting.support == "brain")
    assert 0 <= result.min() <= result.max() <= 1
    assert norm.tolist() == pytest.approx(torch.linalg.vector_norm((result - image).flatten(1), dim=1).tolist())
    assert flipped.isnan().all() == (setting.form in ("noise", "corruption"))


def test_an_accident_is_that_of_its_name(batch):
    found = _attack(AttackSetting("corruption", "blur"), batch)
    torch.testing.assert_close(found["image"], corrupted(batch[1], "blur"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (AttackSetting("magic", "A"), "form: expected dag, .* found 'magic'"),
        (AttackSetting("dag", "D"), "target: expected A, B, C or derangement, found 'D'"),
        (AttackSetting("noise", "A"), "norm: expected the L2 norm of dag_A_1_brain"),
        (AttackSetting(INFORMED, "guard"), "norm: expected the L2 norm of dag_A_1_brain"),
    ],
)
def test_what_is_no_attack_is_refused(setting, message, batch):
    with pytest.raises(InputError, match=message):
        _attack(setting, batch)


def test_the_informed_attacker_needs_a_guard(batch):
    with pytest.raises(InputError, match="expected a guard for the informed attacker, found Conv2d"):
        _attack(AttackSetting(INFORMED, "guard"), batch, norm=torch.ones(2))


def test_a_smaller_strength_moves_less(batch):
    norms = [_attack(AttackSetting("dag", "A", strength), batch)["norm"] for strength in (0.125, 1.0)]
    assert (norms[0] < norms[1]).all()


def test_noise_keeps_to_what_it_can_reach(batch):
    image = batch[1]
    norm = _attack(AttackSetting("noise", "A"), batch, norm=torch.tensor([0.3, 100.0]))["norm"]
    room = torch.linalg.vector_norm((1 - image[1])[image[1] > 0])
    assert norm.tolist() == pytest.approx([0.3, 0.99 * float(room)], rel=1e-3)


def test_fgsm_moves_every_targeted_pixel_by_epsilon_and_pgd_finds_no_less(batch):
    _, image, label = batch
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 3, 3, padding=1))
    batch = network, image, label
    fgsm, pgd = (_attack(AttackSetting(form, "label"), batch)["image"] for form in ("fgsm", "pgd"))
    assert (fgsm - image)[:, :, 4:12, 4:12].abs().numpy() == pytest.approx(EPSILON, rel=1e-4)
    assert (pgd - image).abs().max() <= EPSILON

    def loss(pixels):
        return nn.functional.cross_entropy(network(pixels), label.masked_fill(label == 0, -100)).item()

    assert loss(pgd) >= loss(fgsm) > loss(image)
    half = _attack(AttackSetting("pgd", "label", 0.5), batch)["image"]
    assert (half - image).abs().max() <= EPSILON / 2
    assert loss(half) < loss(pgd)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_dag_takes_twenty_steps_of_its_size_at_most(strength, batch):
    norm = _attack(AttackSetting("dag", "A", strength), batch)["norm"]
    assert (norm <= 20 * strength * step_size_for(16) + 1e-5).all()
    network, image, _ = batch
    # A steep network, and what it predicts rightly, so that something flips.
    with torch.no_grad():
        network.weight *= 50
        network.bias[:] = torch.tensor([-99.0, 0.0, 0.0])
    label = network(image).argmax(1).masked_fill(image[:, 0] == 0, 0)
    found = _attack(AttackSetting("xie", "derangement", strength), (network, image, label))
    moved = found["image"] - image
    assert 0 < moved.abs().max() <= 20 * strength * 0.5 / 255 + 1e-6


def test_the_same_seed_gives_the_same_attack_and_another_one_other_noise(batch):
    for setting in (AttackSetting("noise", "A"), AttackSetting("pgd", "label"), AttackSetting("dag", "C")):
        images = [
            attacked(*batch, setting=setting, num_classes=3, generator=generator, norm=torch.ones(2))["image"]
            for generator in (torch.Generator().manual_seed(seed) for seed in (0, 0, 1))
        ]
        assert torch.equal(images[0], images[1])
        assert setting.form != "noise" or not torch.equal(images[0], images[2])


def test_the_informed_attacker_stays_within_its_norm_and_below_the_threshold(batch):
    network, image, label = batch
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1))
    guard = DefendedSegmenter(detector, Reformer(nn.Conv2d(1, 1, 3, padding=1)), network).eval()
    with torch.no_grad():
        guard.threshold.fill_(1.05 * guard.score(image).max())
    found = _attack(
        AttackSetting(INFORMED, "guard", 0.5), (guard, image, label), norm=torch.tensor([1.0, 2.0]), steps=5
    )
    assert (found["norm"] <= torch.tensor([0.5, 1.0]) + 1e-5).all()
    assert (guard.score(found["image"]) < guard.threshold).all()
