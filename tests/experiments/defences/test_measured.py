from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from experiments.defences.measured import attack_slices
from experiments.defences.threats import Threat
from experiments.slices import Slices
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector

THREATS = (Threat("L2", (0.2, 1.5), "l2"), Threat("L-infinity", (0.02,), "linf", ("fgsm", "pgd")))


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
    found = attack_slices(network, slices, THREATS, steps=2, work_dir=tmp_path)
    assert (found.dice == 1).all()
    assert (found.clean.dice == 1).all()
    small, large = found.attacked["L2"]
    assert (large.dice <= small.dice).all()
    assert large.dice.mean() < small.dice.mean() < 1
    assert large.accepted.all()
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = attack_slices(network, slices, THREATS, steps=2, work_dir=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == files
    np.testing.assert_array_equal(again.attacked["L-infinity"][0].dice, found.attacked["L-infinity"][0].dice)


@pytest.mark.parametrize(("threshold", "passes"), [(1e6, True), (-1.0, False)])
def test_what_a_guard_rejects_has_no_dice(network, slices, tmp_path, threshold, passes):
    detector = ReconstructionDetector(Zero(), domain="image")
    detector.threshold.fill_(threshold)
    guard = DefendedSegmenter(detector, nn.Identity(), network)
    found = attack_slices(guard, slices, THREATS[:1], steps=2, work_dir=tmp_path)
    assert (found.dice == 1).all()  # whether they pass or not
    assert (found.clean.accepted == passes).all()
    for budget in found.attacked["L2"]:
        assert (budget.accepted == passes).all()
        assert np.isnan(budget.dice).all() != passes
