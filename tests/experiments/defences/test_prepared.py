from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.defences.prepared import Prepared
from monai_advdefense.attacks import mean_dice
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector


def test_dice_is_that_of_the_structures_of_the_label():
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)).eval()
    network[1].running_mean.copy_(torch.tensor([0.1, -0.1, 0.0, 0.2]))
    image = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    label = (3 * image[:, 0]).long()  # without structure 3
    found = Prepared(network).structure_dice(image, label)
    assert found.shape == (3, 3)
    assert found[:, 2].isnan().all()
    torch.testing.assert_close(found.nanmean(1), mean_dice(network(image), label, label))


@pytest.mark.parametrize(("threshold", "passes"), [(1e6, True), (-1.0, False)])
def test_a_guard_decides_and_its_network_does_not(network, threshold, passes):
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1), domain="image")
    detector.threshold.fill_(threshold)
    whole = DefendedSegmenter(detector, nn.Identity(), network)
    guarded, plain = Prepared(whole), Prepared(nn.Sequential(nn.Identity(), network))
    image = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    label = (image[:, 0] > 0.5).long()
    assert guarded.accepted(image).tolist() == [passes] * 2
    assert plain.accepted(image).all()
    assert (guarded.structure_dice(image, label) == 1).all()
    assert guarded.network_sha256 == plain.network_sha256 == plain.sha256 != guarded.sha256
