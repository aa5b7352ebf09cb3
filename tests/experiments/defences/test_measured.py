from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from experiments.defences.measured import attack_slices
from experiments.defences.threats import Threat
from experiments.slices import Slices
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector

THREATS = (
    Threat("L2", (0.2, 1.5), "l2", steps=2, through_score=True),
    Threat("L-infinity", (0.02,), "linf", ("fgsm", "pgd"), steps=2),
)


class Zero(nn.Module):
    """As a detector's network on the image: the score is the norm of the image."""

    def forward(self, image):
        return torch.zeros_like(image)


@pytest.fixture
def slices():
    image = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    image[:, :, :2] = 0
    label = (image[:, 0] > 0.5).long()
    number = np.arange(6)
    return Slices(image, label, number // 3, np.array(["P1"] * 3 + ["P2"] * 3), number)


def test_more_is_lost_with_a_larger_budget_and_what_was_measured_is_read_again(network, slices, tmp_path):
    found = attack_slices(network, slices, THREATS, undefended=network, work_dir=tmp_path)
    assert (found.dice == 1).all()
    assert (found.clean.dice == 1).all()
    small, large = found.attacked["L2"]
    assert (large.dice <= small.dice).all()
    assert large.dice.mean() < small.dice.mean() < 1
    assert large.accepted.all()
    np.testing.assert_allclose(found.structures[:, 0], found.dice)  # there is one structure
    for budget in (small, large):
        np.testing.assert_allclose(budget.structures[:, 0], budget.dice)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = attack_slices(network, slices, THREATS, undefended=network, work_dir=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == files
    np.testing.assert_array_equal(again.attacked["L-infinity"][0].dice, found.attacked["L-infinity"][0].dice)


@pytest.mark.parametrize(("threshold", "passes"), [(1e6, True), (-1.0, False)])
def test_what_a_guard_rejects_has_no_dice(network, slices, tmp_path, threshold, passes):
    detector = ReconstructionDetector(Zero(), domain="image")
    detector.threshold.fill_(threshold)
    guard = DefendedSegmenter(detector, nn.Identity(), network)
    found = attack_slices(guard, slices, THREATS[:1], undefended=network, work_dir=tmp_path)
    assert (found.dice == 1).all()  # whether they pass or not
    assert (found.clean.accepted == passes).all()
    for budget in found.attacked["L2"]:
        assert (budget.accepted == passes).all()
        assert np.isnan(budget.dice).all() != passes
        assert np.isnan(budget.structures).all() != passes


def test_each_structure_has_its_own_worst_copy(slices, tmp_path):
    ramp = nn.Conv2d(1, 3, 1)  # the classes of three ranges
    with torch.no_grad():
        ramp.weight.copy_(torch.tensor([-9.0, 0.0, 9.0]).view(3, 1, 1, 1))
        ramp.bias.copy_(torch.tensor([4.0, 1.0, -5.0]))
    label = ramp(slices.image).argmax(1).detach()
    found = attack_slices(ramp, replace(slices, label=label), THREATS, undefended=ramp, work_dir=tmp_path)
    assert (found.structures == 1).all()
    for budget in (each for of_threat in found.attacked.values() for each in of_threat):
        assert budget.structures.shape == (6, 2)
        assert (budget.structures.mean(1) <= budget.dice + 1e-12).all()
        assert (budget.structures < 1).any()
