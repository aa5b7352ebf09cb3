from __future__ import annotations

import pytest
import torch
from monai.metrics import DiceMetric
from monai.networks.nets import UNet
from torch.nn.functional import one_hot

from monai_advdefense.attacks import (
    composed_attack,
    mean_dice,
    measured_quality,
    right_pixels,
    standard_attacks,
    worst_case,
    worst_of,
)
from monai_advdefense.errors import InputError


@pytest.fixture(scope="module")
def case():
    torch.manual_seed(0)
    network = UNet(2, 1, 4, (4, 8), (2,)).eval()
    image = torch.rand(4, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return network, image, network(image).argmax(1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("quality", [mean_dice, right_pixels])
def test_worst_case_is_never_better_than_any_attack_for_each_image(case, norm, quality):
    network, image, label = case
    attacks = standard_attacks(norm=norm, n_steps=3)
    budget = torch.tensor([0.01, 0.03, 0.0, 0.05]) * (1 if norm == "linf" else 12)
    found = worst_case(network, image, label, attacks=attacks, budget=budget, quality=quality)
    assert list(found.qualities) == ["clean", *attacks]
    every = torch.stack(list(found.qualities.values()))
    assert (found.quality <= every).all()
    assert torch.equal(found.quality, every.min(0).values)
    for sample, name in enumerate(found.attack):
        assert found.qualities[name][sample] == found.quality[sample]
    assert found.attack[2] == "clean"
    assert torch.equal(found.image[2], image[2])
    assert found.quality[[0, 1, 3]].max() < 1
    torch.testing.assert_close(measured_quality(network, found.image, label, quality=quality), found.quality)


def test_mean_dice_is_that_of_monai_over_the_structures_of_the_label(case):
    network, image, label = case
    label = label.clone()
    label[0] = 0
    label[1][label[1] == 2] = 1
    noisy = (image + 0.3 * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    found = measured_quality(network, noisy, label)
    predicted = network(noisy).argmax(1)
    metric = DiceMetric(include_background=False, reduction="none", ignore_empty=True)
    dice = metric(*(one_hot(each, 4).movedim(-1, 1) for each in (predicted, label)))
    torch.testing.assert_close(found[1:], dice.nanmean(1)[1:].double())
    assert found[0] == 1  # nothing to lose


def test_worst_of_measures_what_is_given_and_does_not_trust_names(case):
    network, image, label = case
    attacked = {"none": image, "noise": torch.rand_like(image)}
    found = worst_of(network, image, label, attacked=attacked)
    assert set(found.attack) <= {"clean", "noise"}
    torch.testing.assert_close(found.qualities["none"], found.qualities["clean"])


@pytest.mark.parametrize("attacks", [{}, {"clean": lambda *a, **k: None}])
def test_no_attack_is_an_error(case, attacks):
    with pytest.raises(InputError, match="attacks: expected one attack or more"):
        worst_case(*case, attacks=attacks, budget=0.1)


def test_attacks_take_options_that_say_nothing_of_the_task(case):
    attack = {"composed": composed_attack}
    options = {"n_steps": 2, "restarts": 1, "include_background": True}
    found = worst_case(*case, attacks=attack, budget=0.05, generator=torch.Generator().manual_seed(0), **options)
    alone = composed_attack(
        *case, budget=0.05, generator=torch.Generator().manual_seed(0), quality=mean_dice, **options
    )
    quality = measured_quality(case[0], alone.image, case[2], include_background=True)
    torch.testing.assert_close(found.qualities["composed"], quality)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": torch.ones(4, 12, 12)}, "mask: expected shape"),
        ({"logits_of": lambda logits: logits * torch.nan}, "network: expected finite logits"),
    ],
)
def test_what_cannot_be_measured_is_named(case, change, message):
    with pytest.raises(InputError, match=message):
        measured_quality(*case, **change)
