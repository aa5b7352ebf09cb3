"""Attacks beside those of adv-lib 0.2.8, where it is installed: ``pip install adv-lib==0.2.8 torchvision``."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from monai.networks.nets import UNet

from monai_advdefense.attacks import all_background, composed_attack, dag, smallest_budget
from monai_advdefense.attacks.objectives import structure_margin
from monai_advdefense.attacks.steps import apgd

adv_lib = pytest.importorskip("adv_lib.attacks.segmentation", reason="adv-lib is optional", exc_type=ImportError)


@pytest.fixture(scope="module")
def case():
    torch.manual_seed(0)
    network = UNet(2, 1, 5, (8, 16), (2,)).eval().requires_grad_(False)
    image = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    return network, image, network(image).argmax(1)


def flipped(network, image, label):
    targeted = label > 0
    return ((network(image).argmax(1) != label) & targeted).flatten(1).sum(1) / targeted.flatten(1).sum(1)


@pytest.mark.parametrize("steps", [10, 40])
def test_dag_flips_no_less_than_that_of_adv_lib(case, steps):
    network, image, label = case
    # adv-lib gives the clean image back where it misses its threshold: the best of several thresholds counts.
    theirs = torch.stack(
        [
            flipped(
                network,
                adv_lib.dag(network, image, label, masks=label > 0, adv_threshold=share, max_iter=steps, γ=0.005),
                label,
            )
            for share in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
        ]
    ).amax(0)
    target = all_background(label)
    ours = dag(network, image, label, target=target, step_size=0.005, steps=steps, norm="linf", result="best").flipped
    assert (ours >= theirs - 0.02).all()


def test_smallest_budget_is_not_above_that_of_alma_prox_for_as_many_flipped_pixels(case):
    network, image, label = case[0], case[1][:1], case[2][:1]
    theirs = adv_lib.alma_prox(network, image, label, masks=label > 0, adv_threshold=0.9, num_steps=200, lr_init=0.01)
    lost = float(flipped(network, theirs, label))
    attack = partial(composed_attack, objective=structure_margin, step=apgd)
    ours = smallest_budget(network, image, label, attack=attack, highest=0.6, lost=lost).budget
    assert lost > 0.5
    assert float(ours) <= 1.02 * float((theirs - image).abs().max())
