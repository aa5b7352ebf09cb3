from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.defences.passes import passes
from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector

IMAGE = torch.zeros(1, 1, 8, 8)


def _guard(decision):
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1), domain="image")
    return DefendedSegmenter(detector, nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 4, 3, padding=1), decision=decision)


@pytest.mark.parametrize(("decision", "wanted"), [(None, 1.5), (CombinedDecision(), 2.5)])
def test_a_guard_costs_its_networks_and_with_the_divergence_the_segmenter_twice(decision, wanted):
    # Detector and reformer take a quarter of the segmenter's multiplications each.
    assert passes(_guard(decision), nn.Conv2d(1, 4, 3, padding=1), IMAGE) == pytest.approx(wanted)
