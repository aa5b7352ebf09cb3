from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from experiments.measurement import measure
from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector, SpectralDecision
from monai_advdefense.metrics import dice_from_counts


@pytest.mark.parametrize("batch_size", [2, 5])
def test_measure_counts_each_slice_in_order(batch_size):
    """A network that shows class 1 where the image is above 0.5 has Dice 1 on labels made so."""
    network = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
        network.bias.copy_(torch.tensor([0.5, 0.0]))
    image = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    label = (image > 0.5).to(torch.uint8)
    label[3] = 1 - label[3]
    items = [
        {"image": image[n], "label": label[n], "volume": n // 3, "slice": n, "subject": f"s{n // 3}"} for n in range(5)
    ]
    measured = measure(items, network, num_classes=2, batch_size=batch_size)
    dice = dice_from_counts(torch.from_numpy(measured["plain"]))
    assert dice[:, 1].tolist() == [1, 1, 1, 0, 1]
    assert measured["slice"].tolist() == [0, 1, 2, 3, 4]
    assert measured["subject"].tolist() == ["s0", "s0", "s0", "s1", "s1"]


def test_measure_gives_both_scores_of_a_guard():
    torch.manual_seed(0)
    detector, reformer, segmenter = (nn.Conv2d(1, channels, 3, padding=1) for channels in (1, 1, 2))
    image, label = torch.rand(3, 1, 8, 8), torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    items = [{"image": image[n], "label": label[n], "volume": 0, "slice": n, "subject": "s"} for n in range(3)]
    for decision in (SpectralDecision(), CombinedDecision()):
        guard = DefendedSegmenter(ReconstructionDetector(detector), reformer, segmenter, decision=decision).eval()
        guard.decision.center.copy_(torch.tensor([1.0, 0.1]))
        guard.decision.scale.copy_(torch.tensor([2.0, 0.5]))
        measured = measure(items, segmenter, num_classes=2, guard=guard, batch_size=2)
        with torch.no_grad():
            np.testing.assert_allclose(measured[decision.name], guard.score(image), rtol=1e-5)
