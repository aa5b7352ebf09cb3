"""Attacks stay in their ball and in the bounds, leave the network as it was, and find what can be found."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from monai_advdefense.attacks import dag, erase_structure, fgsm, pgd, rician_noise, selective_pgd
from monai_advdefense.attacks.targets import all_background


def _network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.3))
    network.append(nn.Conv2d(6, 4, 3, padding=1))
    network(torch.rand(8, 1, 12, 12))
    return network.train()


def _generator():
    return torch.Generator().manual_seed(0)


# Norm of the size, None if there is no limit, and the attacked images.
ATTACKS = {
    "fgsm": ("linf", lambda network, image, label, size: fgsm(network, image, label, epsilon=size).image),
    "pgd": (
        "l2",
        lambda network, image, label, size: pgd(network, image, label, radius=size, steps=6, step_size=size / 3).image,
    ),
    "pgd, linf": (
        "linf",
        lambda network, image, label, size: (
            pgd(
                network, image, label, radius=size, steps=6, step_size=size / 3, norm="linf", generator=_generator()
            ).image
        ),
    ),
    "erase_structure": (
        "l2",
        lambda network, image, label, size: (
            erase_structure(network, image, label, structure=1, radius=size, steps=6).image
        ),
    ),
    "selective_pgd": (
        "l2",
        lambda network, image, label, size: (
            selective_pgd(
                network, image, label, excess=lambda x: x.flatten(1).mean(1) - 0.6, radius=size, steps=6
            ).image
        ),
    ),
    "dag": (
        None,
        lambda network, image, label, size: (
            dag(network, image, label, target=all_background(label), step_size=size, steps=6).image
        ),
    ),
    "rician_noise": ("l2", lambda network, image, label, size: rician_noise(image, norm=size, generator=_generator())),
}


def _state(network):
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.numpy().tobytes())
    gradients = [parameter.grad for parameter in network.parameters()]
    return digest.hexdigest(), [module.training for module in network.modules()], gradients


def _size(difference, norm):
    order = 2 if norm == "l2" else float("inf")
    return torch.linalg.vector_norm(difference.double().flatten(1), ord=order, dim=1)


def test_every_attack_keeps_its_contract(full, figure):
    network, images = _network(), 0
    before = _state(network)
    for norm, attack in ATTACKS.values():
        for seed in range(30 if full else 3):
            generator = torch.Generator().manual_seed(seed)
            image = torch.rand(4, 1, 12, 12, generator=generator)
            label = torch.randint(4, (4, 12, 12), generator=generator)
            for size in (0.01, 0.1, 0.5):
                attacked = attack(network, image, label, size)
                assert 0 <= attacked.min() <= attacked.max() <= 1
                # The noise is scaled until its norm is right to a thousandth.
                slack = 1e-3 if attack is ATTACKS["rician_noise"][1] else 1e-6
                assert norm is None or (_size(attacked - image, norm) <= size * (1 + slack)).all()
                images += len(image)
    assert _state(network) == before
    figure(f"{len(ATTACKS)} attacks, {images} images: 0 outside of ball or bounds, networks untouched")


@pytest.mark.parametrize("name", [name for name, (norm, _) in ATTACKS.items() if norm])
def test_a_perturbation_of_size_0_is_the_image(name):
    image = torch.rand(2, 1, 12, 12, generator=_generator())
    label = torch.randint(4, (2, 12, 12), generator=_generator())
    attacked = ATTACKS[name][1](_network(), image, label, 0.0)
    assert torch.equal(attacked, image)


def test_the_optimum_of_a_linear_network_is_found(full, figure):
    """Two classes told apart by one weight: each pixel has to move by the same, known way."""
    network = nn.Conv2d(1, 2, 1).double()
    with torch.no_grad():
        network.weight[:] = torch.tensor([[-1.0], [1.0]]).view(2, 1, 1, 1)
        network.bias[:] = torch.tensor([0.5, -0.5])
    count, worst = 100 if full else 10, 0.0
    for seed in range(count):
        brightness = float(torch.rand((), generator=torch.Generator().manual_seed(seed)))
        image = torch.full((1, 1, 6, 6), brightness, dtype=torch.float64)
        least = float((image - 0.5).norm())
        label = torch.full((1, 6, 6), int(brightness > 0.5))
        budget = {"radius": 1.001 * least, "steps": 20, "step_size": least / 10, "include_background": True}
        found = pgd(network, image, label, **budget)
        assert bool(found.success.all())
        worst = max(worst, float(found.norm) / least)
    assert worst <= 1.002
    figure(f"{count} of {count} linear networks fooled within {worst:.3f} times the least norm")
