from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from experiments.paper import measuring
from experiments.settings import AttackSetting
from monai_advdefense.guard import (
    CombinedDecision,
    DefendedSegmenter,
    ReconstructionDetector,
    Reformer,
    SpectralDecision,
)
from monai_advdefense.guard.divergence import divergence_score
from monai_advdefense.metrics import mean_dice

CLASSES = 3
COUNT = measuring.BATCH_SIZE + 3


@pytest.fixture
def networks():
    torch.manual_seed(0)
    segmenter, reformer = nn.Conv2d(1, CLASSES, 3, padding=1), Reformer(nn.Conv2d(1, 1, 3, padding=1))
    return segmenter.eval(), reformer.eval(), ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1)).eval()


@pytest.fixture
def slices():
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(COUNT, 1, 8, 8, generator=generator)
    image[:, :, :2] = 0
    label = torch.randint(1, CLASSES, (COUNT, 8, 8), generator=generator)
    return image, label * (image[:, 0] > 0)


def test_measurements_in_batches_equal_those_in_one_piece(networks, slices):
    segmenter, reformer, detector = networks
    image, label = slices
    with torch.no_grad():
        logits = segmenter(reformer(image))
        torch.testing.assert_close(torch.from_numpy(measuring.scores(detector, image)["score"]), detector.score(image))
        found = measuring.divergence(segmenter, reformer, image)["score"]
        torch.testing.assert_close(torch.from_numpy(found), divergence_score(segmenter(image), logits, image))
    counts = torch.from_numpy(measuring.overlaps(segmenter, reformer, image, label, CLASSES)["counts"]).double()
    dice = (2 * counts[..., 0] / (counts[..., 1] + counts[..., 2]))[:, 1:].nanmean(1)
    torch.testing.assert_close(dice, mean_dice(logits.argmax(1), label, CLASSES))


def test_without_a_reformer_the_network_sees_the_slices_themselves(networks, slices):
    segmenter, _, _ = networks
    bare = measuring.overlaps(segmenter, None, *slices, CLASSES)
    same = measuring.overlaps(segmenter, nn.Identity(), *slices, CLASSES)
    np.testing.assert_array_equal(bare["counts"], same["counts"])
    np.testing.assert_array_equal(bare["soft_dice"], same["soft_dice"])


def test_noise_has_the_norm_of_the_attack_beside_it(networks, slices):
    segmenter = networks[0]
    attack = AttackSetting("dag", "A", 0.125, "brain")
    options = {"num_classes": CLASSES, "seed": 0}
    dag = measuring.craft(segmenter, *slices, setting=attack, **options)
    noise = AttackSetting("noise", "A", 0.125, "brain")
    norm = torch.from_numpy(dag["norm"])
    found = measuring.craft(segmenter, *slices, setting=noise, norm=norm, **options)
    assert dag["image"].shape == (COUNT, 1, 8, 8)
    assert (dag["norm"] > 0).all()
    np.testing.assert_allclose(found["norm"], dag["norm"], rtol=1e-3)
    assert np.isnan(found["flipped"]).all()


def test_random_draws_depend_on_the_seed_alone(networks, slices):
    setting = AttackSetting("dag", "C", 0.125, "brain")
    first, again, other = (
        measuring.craft(networks[0], *slices, setting=setting, num_classes=CLASSES, seed=seed)["image"]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("decision", [SpectralDecision, CombinedDecision])
def test_who_knows_the_guard_stays_accepted_in_his_budget_and_in_the_brain(networks, slices, decision):
    segmenter, reformer, detector = networks
    image, label = slices
    guard = DefendedSegmenter(detector, reformer, segmenter, decision=decision()).eval()
    guard.decision.center.fill_(0.0)
    guard.decision.scale.fill_(1.0)
    with torch.no_grad():
        guard.threshold.fill_(float(guard.score(image).max()) + 0.01)
    radius = torch.linspace(0.1, 0.5, COUNT)
    found = measuring.craft_selective(guard, image, label, radius=radius, steps=5)
    attacked = torch.from_numpy(found["image"])
    with torch.no_grad():
        assert (guard.excess(attacked) <= 0).all()
    assert (torch.from_numpy(found["norm"]) <= radius).all()
    assert (attacked[image == 0] == 0).all()
    before = (segmenter(reformer(image)).argmax(1) != label).sum()
    assert (segmenter(reformer(attacked)).argmax(1) != label).sum() > before
