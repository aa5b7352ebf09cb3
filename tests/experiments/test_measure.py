from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from experiments.attacks import INFORMED, AttackSetting
from experiments.measure import BATCH_SIZE, craft, divergence, guarded, measure, overlaps, scores
from monai_advdefense.guard import (
    CombinedDecision,
    DefendedSegmenter,
    ReconstructionDetector,
    Reformer,
    SpectralDecision,
)
from monai_advdefense.guard.divergence import divergence_score
from monai_advdefense.metrics import dice_from_counts, mean_dice

CLASSES = 3
COUNT = BATCH_SIZE + 3


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


def _guard(networks, image, decision):
    segmenter, reformer, detector = networks
    guard = DefendedSegmenter(detector, reformer, segmenter, decision=decision()).eval()
    guard.decision.center.copy_(torch.tensor([1.0, 0.1]))
    guard.decision.scale.copy_(torch.tensor([2.0, 0.5]))
    with torch.no_grad():
        guard.threshold.fill_(float(guard.score(image).max()) + 0.01)
    return guard


@pytest.mark.parametrize("count", [1, BATCH_SIZE, COUNT, 2 * BATCH_SIZE])
def test_batches_are_joined_in_order_and_hold_every_slice_once(count):
    sizes = []

    def double(batch, other):
        sizes.append(len(batch))
        return {"double": 2 * batch, "sum": batch + other}

    first, second = torch.arange(count), 10 * torch.arange(count)
    found = measure(double, nn.Linear(1, 1), first, second)
    assert found["double"].tolist() == (2 * first).tolist()
    assert found["sum"].tolist() == (11 * first).tolist()
    assert sum(sizes) == count
    assert max(sizes) <= BATCH_SIZE


def test_measurements_in_batches_equal_those_in_one_piece(networks, slices):
    segmenter, reformer, detector = networks
    image, label = slices
    with torch.no_grad():
        logits = segmenter(reformer(image))
        torch.testing.assert_close(torch.from_numpy(scores(detector, image)["score"]), detector.score(image))
        found = divergence(segmenter, reformer, image)["score"]
        torch.testing.assert_close(torch.from_numpy(found), divergence_score(segmenter(image), logits, image))
    counts = overlaps(segmenter, image, label, num_classes=CLASSES, reformer=reformer)["counts"].astype(float)
    dice = np.nanmean((2 * counts[..., 0] / (counts[..., 1] + counts[..., 2]))[:, 1:], axis=1)
    np.testing.assert_allclose(dice, mean_dice(logits.argmax(1), label, CLASSES))


def test_without_a_reformer_the_network_sees_the_slices_themselves(networks, slices):
    bare = overlaps(networks[0], *slices, num_classes=CLASSES)
    same = overlaps(networks[0], *slices, num_classes=CLASSES, reformer=nn.Identity())
    np.testing.assert_array_equal(bare["counts"], same["counts"])
    np.testing.assert_array_equal(bare["soft_dice"], same["soft_dice"])


def test_a_network_that_is_right_has_dice_1_and_a_wrong_slice_0():
    network = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
        network.bias.copy_(torch.tensor([0.5, 0.0]))
    image = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    label = (image[:, 0] > 0.5).long()
    label[3] = 1 - label[3]
    counts = overlaps(network, image, label, num_classes=2)["counts"]
    assert dice_from_counts(torch.from_numpy(counts))[:, 1].tolist() == [1, 1, 1, 0, 1]


@pytest.mark.parametrize("decision", [SpectralDecision, CombinedDecision])
def test_a_guard_gives_both_scores_and_both_segmentations(networks, slices, decision):
    image, label = slices
    guard = _guard(networks, image, decision)
    found = guarded(guard, image, label, num_classes=CLASSES)
    with torch.no_grad():
        np.testing.assert_allclose(found[decision.name], guard.score(image), rtol=1e-5)
    behind = {"plain": None, "reformed": guard.reformer}
    for name, reformer in behind.items():
        expected = overlaps(guard.segmenter, image, label, num_classes=CLASSES, reformer=reformer)
        np.testing.assert_array_equal(found[name], expected["counts"])


def test_a_guard_without_calibration_has_no_combined_score(networks, slices):
    segmenter, reformer, detector = networks
    found = guarded(DefendedSegmenter(detector, reformer, segmenter).eval(), *slices, num_classes=CLASSES)
    assert np.isnan(found["combined"]).all()
    assert np.isfinite(found["spectral"]).all()


def test_noise_has_the_norm_of_the_attack_beside_it(networks, slices):
    options = {"num_classes": CLASSES, "seed": 0}
    dag = craft(networks[0], *slices, setting=AttackSetting("dag", "A", 0.125), **options)
    noise = AttackSetting("noise", "A", 0.125)
    found = craft(networks[0], *slices, setting=noise, norm=torch.from_numpy(dag["norm"]), **options)
    assert dag["image"].shape == (COUNT, 1, 8, 8)
    assert (dag["norm"] > 0).all()
    np.testing.assert_allclose(found["norm"], dag["norm"], rtol=1e-3)
    assert np.isnan(found["flipped"]).all()


def test_random_draws_depend_on_the_seed_alone(networks, slices):
    setting = AttackSetting("dag", "C", 0.125)
    first, again, other = (
        craft(networks[0], *slices, setting=setting, num_classes=CLASSES, seed=seed)["image"] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("decision", [SpectralDecision, CombinedDecision])
def test_the_informed_attacker_stays_accepted_in_his_budget_and_in_the_brain(networks, slices, decision):
    segmenter, reformer, _ = networks
    image, label = slices
    guard = _guard(networks, image, decision)
    norm, budget = torch.linspace(0.2, 1.0, COUNT), 0.5
    setting = AttackSetting(INFORMED, "guard", budget)
    found = craft(guard, image, label, setting=setting, num_classes=CLASSES, seed=0, norm=norm, steps=5)
    attacked = torch.from_numpy(found["image"])
    with torch.no_grad():
        assert (guard.excess(attacked) <= 0).all()
    assert (torch.from_numpy(found["norm"]) <= budget * norm).all()
    assert (attacked[image == 0] == 0).all()
    before = (segmenter(reformer(image)).argmax(1) != label).sum()
    assert (segmenter(reformer(attacked)).argmax(1) != label).sum() > before
