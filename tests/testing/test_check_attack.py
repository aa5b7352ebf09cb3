from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monai_advdefense.attacks import composed_attack, fgsm, pgd, standard_attacks
from monai_advdefense.testing import CheckFailedError, check_attack

SMOOTH = {"low_frequencies", "bias_field", "intensity_curve", "square", "apgd_boundary"}
STANDARD = [
    pytest.param(norm, name, attack, id=f"{norm}-{name}")
    for norm in ("linf", "l2")
    for name, attack in standard_attacks(norm=norm, n_steps=10, n_queries=20).items()
]


@pytest.mark.parametrize(("norm", "name", "attack"), STANDARD)
def test_standard_attacks_pass(norm, name, attack):
    # Losses that weigh lost pixels too do not share an L2 budget among pixels as the optimum does.
    check_attack(attack, norm=norm, near_optimum=norm == "linf" and name not in SMOOTH)


def test_the_margin_shares_an_l2_budget_among_pixels():
    check_attack(standard_attacks(norm="l2", n_steps=30)["apgd_margin"], norm="l2")


@pytest.mark.parametrize("spatial_dims", [1, 3])
def test_other_dimensions_pass(spatial_dims):
    check_attack(composed_attack, spatial_dims=spatial_dims)


def test_attacks_of_another_call_pass_in_a_function():
    def by_radius(network, image, label, *, budget, **options):
        size = torch.as_tensor(budget) / 8
        return pgd(
            network, image, label, radius=budget, steps=20, step_size=size, norm="linf", result="best", **options
        )

    check_attack(by_radius)
    check_attack(
        lambda network, image, label, *, budget, **options: fgsm(network, image, label, epsilon=budget, **options)
    )


def plain(network, image, label, **options):
    return composed_attack(network, image, label, **{"n_steps": 8, **options})


def too_far(network, image, label, *, budget, **options):
    return plain(network, image, label, budget=2 * torch.as_tensor(budget), **options)


def without_bounds(network, image, label, *, bounds, **options):
    return plain(network, image, label, bounds=None, **options)


def without_mask(network, image, label, *, mask=None, **options):
    return plain(network, image, label, **options)


def over_the_batch(network, image, label, *, budget, **options):
    found = plain(network, image, label, budget=budget, **options)
    return replace(found, image=torch.where(found.flipped.max() > 0.99 * found.flipped.sum(), found.image, image))


def always_moving(network, image, label, *, budget, **options):
    return plain(network, image, label, budget=torch.as_tensor(budget).clamp_min(1e-3), **options)


def idle(network, image, label, *, budget, **options):
    return plain(network, image, label, budget=0.0, **options)


def training(network, image, label, **options):
    found = plain(network, image, label, **options)
    network.eval()
    return found


def weak(network, image, label, *, budget, **options):
    return plain(network, image, label, budget=torch.as_tensor(budget) / 2, **options)


def moves_statistics(network, image, label, **options):
    network(image)
    return plain(network, image, label, **options)


def writes_gradients(network, image, label, **options):
    network.eval()(image).sum().backward()
    network.train()
    return plain(network, image, label, **options)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (too_far, "a change of 0.08 at most in linf"),
        (without_bounds, "values within bounds"),
        (without_mask, "no change outside of the mask"),
        (over_the_batch, "a batch of 8 to be 8 batches of 1"),
        (always_moving, "the image for budget 0"),
        (idle, "more flipped pixels with a larger budget"),
        (training, "a network whose modes stay"),
        (weak, "all pixels of a linear network flipped"),
        (moves_statistics, "a network whose weights and statistics stay"),
        (writes_gradients, "no gradient written to the network"),
    ],
)
def test_a_broken_attack_is_named_on_one_line(broken, message):
    with pytest.raises(CheckFailedError, match=message) as raised:
        check_attack(broken)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, AssertionError)
