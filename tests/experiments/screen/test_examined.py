from __future__ import annotations

import torch
from torch import nn

from experiments.screen.examined import examine, positions, predicted
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector
from monai_advdefense.metrics import overlap_counts
from tests.guard.phantom_slices import phantom_slices

CLASSES = 3


def _guard():
    torch.manual_seed(0)
    parts = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, CLASSES, 3, padding=1)
    return DefendedSegmenter(ReconstructionDetector(nn.Identity(), domain="image"), *parts).eval()


def _examined(volume):
    index = torch.arange(len(volume))
    return examine(volume, num_classes=CLASSES, index=index, position=positions(volume))


def test_places_run_through_the_object_and_nothing_is_predicted_at_first():
    volume = phantom_slices(0)
    part = _examined(volume)
    inside = part.prediction.position[~part.blank]
    assert (inside.diff() > 0).all()
    assert part.blank[0]
    assert part.changed.all()
    assert not part.predicted.any()
    assert not part.plain.any()


def test_predictions_are_added_where_they_are_needed_and_slices_are_not_blank():
    volume, guard = phantom_slices(0), _guard()
    label = (volume[:, 0] > 0.3).long()
    part = _examined(volume)
    needed = torch.arange(len(volume)) % 2 == 0
    found = predicted(part, guard, volume, label, needed)
    assert torch.equal(found.predicted, needed & ~part.blank)
    assert not part.predicted.any()  # what was given stays as it is
    expected = overlap_counts(guard.segmenter(volume).argmax(1), label, CLASSES)
    assert torch.equal(found.plain[found.predicted], expected[found.predicted])
    assert not found.plain[~found.predicted].any()
    whole = predicted(found, guard, volume, label, torch.ones_like(needed))
    assert torch.equal(whole.predicted, ~part.blank)
    assert torch.equal(whole.plain[found.predicted], found.plain[found.predicted])
    assert predicted(whole, guard, volume, label, needed).plain.equal(whole.plain)
