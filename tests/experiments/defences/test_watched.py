from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.defences.watched import Watched
from monai_advdefense.attacks import ladder, mean_dice, standard_attacks
from monai_advdefense.attacks.objectives import structure_margin
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector


class _Half(nn.Module):
    """As a detector's network: the score is the norm of what is missing to one half."""

    def forward(self, image):
        return image.clamp_min(0.5)


@pytest.fixture
def guard(network):
    """The darker an image, the more suspicious it is."""
    detector = ReconstructionDetector(_Half(), domain="image")
    detector.threshold.fill_(1.0)
    return DefendedSegmenter(detector, nn.Identity(), network).eval().requires_grad_(False)


def test_logits_are_those_behind_the_guard_and_what_does_not_pass_does_no_harm(guard):
    image = torch.stack([torch.full((1, 4, 4), 0.6), torch.full((1, 4, 4), 0.1)])
    label = torch.ones(2, 4, 4, dtype=torch.long)
    watched = Watched(guard)
    logits = watched(image)
    passes = guard.decide(image, guard.score(image))
    assert passes.tolist() == [True, False]
    torch.testing.assert_close(logits, guard.segmenter(image))
    found = watched.dice_of_accepted(logits, label, label)
    assert found.tolist() == [float(mean_dice(logits, label, label)[0]), float("inf")]
    margins = watched.margin_of_accepted(logits, label)
    assert margins.tolist() == [float(structure_margin(logits, label)[0]), -float("inf")]


def test_of_all_steps_the_worst_that_passes_is_kept(guard):
    image = 0.52 + 0.3 * torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    label = torch.ones(3, 8, 8, dtype=torch.long)
    guard.detector.threshold.fill_(0.3)
    watched, attack = Watched(guard), standard_attacks(norm="l2", n_steps=6)["apgd_dice"]
    options = {"attack": attack, "budgets": (0.3, 0.6, 3.0)}  # the largest one darkens all far below one half
    blind = ladder(watched, image, label, quality=mean_dice, **options)[-1]
    assert not guard.decide(blind.image, guard.score(blind.image)).any()
    kept = ladder(watched, image, label, quality=watched.dice_of_accepted, **options)[-1]
    assert guard.decide(kept.image, guard.score(kept.image)).all()
    assert (mean_dice(watched(kept.image), label, label) < 0.95).all()


def test_a_quality_of_other_logits_is_refused(guard):
    with pytest.raises(RuntimeError, match="call the network first"):
        Watched(guard).dice_of_accepted(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4), torch.zeros(1, 4, 4))
