from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from experiments.defences.copies import blind_copies, passing_copies
from experiments.defences.prepared import Prepared
from experiments.defences.threats import Threat
from experiments.slices import Slices
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector


class _Same(nn.Module):
    """As a detector's network: nothing is suspicious."""

    def forward(self, image):
        return image


@pytest.fixture
def slices():
    image = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    image[:, :, :2] = 0
    return Slices(image, (image[:, 0] > 0.5).long(), np.array([0, 1]), np.array(["a", "b"]), np.array([4, 4]))


def _guard(network, threshold):
    detector = ReconstructionDetector(_Same(), domain="image")
    detector.threshold.fill_(threshold)
    return DefendedSegmenter(detector, nn.Identity(), network)


THREATS = (
    Threat("L2", (0.2, 1.0), "l2", steps=2, through_score=True),
    Threat("40 steps, L2", (1.0,), "l2", steps=4, restarts=2, through_score=True),
    Threat("low frequencies", (1.0,), "l2", ("low_frequencies",), steps=2),
)


def _lengths(slices, image, norm):
    return torch.linalg.vector_norm((image - slices.image).flatten(1), ord=torch.inf if norm == "linf" else 2, dim=1)


@pytest.mark.parametrize(("threat", "of_guard"), zip(THREATS, (1, 3, 0), strict=True))
def test_copies_lie_within_the_brain_and_the_budget(network, slices, tmp_path, threat, of_guard):
    whole = _guard(network, 1.0)
    guard = Prepared(whole)
    blind = blind_copies(guard, threat, slices, undefended=guard, images_dir=tmp_path)
    passing = passing_copies(guard.guard, threat, slices, blind=blind)
    for budget, first, second in zip(threat.budgets, blind, passing, strict=True):
        assert (len(first), len(second)) == (1, of_guard)
        assert (first[0] != slices.image).any()
        for image in first + second:
            assert (_lengths(slices, image, threat.norm) <= budget * (1 + 1e-5)).all()
            assert (image[slices.image == 0] == 0).all()


def test_defences_with_the_same_networks_share_blind_copies(network, slices, tmp_path):
    plain, guard = Prepared(nn.Sequential(nn.Identity(), network)), Prepared(_guard(network, 1.0))
    first, second = (
        blind_copies(each, THREATS[0], slices, undefended=plain, images_dir=tmp_path) for each in (plain, guard)
    )
    assert len(list(tmp_path.iterdir())) == 1
    torch.testing.assert_close(second, first)


def test_one_who_knows_the_segmenter_alone_gives_all_defences_the_same(network, slices, tmp_path):
    threat = Threat("transfer", (1.0,), "l2", steps=2, knows="segmenter")
    options = {"undefended": Prepared(network), "images_dir": tmp_path}
    defences = (network, nn.Sequential(nn.Conv2d(1, 1, 1), network), _guard(network, 1.0))
    first, *others = (blind_copies(Prepared(each), threat, slices, **options) for each in defences)
    assert len(list(tmp_path.iterdir())) == 1
    for other in others:
        torch.testing.assert_close(other, first)
    assert passing_copies(defences[-1], threat, slices, blind=first) == [[]]


def test_where_a_copy_is_rejected_the_worst_that_passes_is_found(network, slices, tmp_path):
    class Known(nn.Module):
        """As a detector's network: the score is the length of the change, of the first slice ten times it."""

        def forward(self, image):
            nearest = torch.cdist(image.flatten(1), slices.image.flatten(1)).argmin(1)
            weights = torch.where(nearest == 0, 10.0, 1.0).view(-1, 1, 1, 1)
            return image - weights * (image - slices.image[nearest])

    detector = ReconstructionDetector(Known(), domain="image")
    detector.threshold.fill_(1.1)
    guard = Prepared(DefendedSegmenter(detector, nn.Identity(), network))
    threat = Threat("L2", (0.2, 1.0), "l2", steps=4)
    blind = blind_copies(guard, threat, slices, undefended=guard, images_dir=tmp_path)
    for (first,), (again,) in zip(blind, passing_copies(guard.guard, threat, slices, blind=blind), strict=True):
        torch.testing.assert_close(again[1], first[1])
        assert guard.accepted(first).tolist() == [False, True]
        assert guard.accepted(again).all()
    asking = Threat("queries", (0.1,), "linf", ("square",), knows="answers", n_queries=300)
    ((stripes,),) = blind_copies(guard, asking, slices, undefended=guard, images_dir=tmp_path)
    ((found,),) = passing_copies(guard.guard, asking, slices, blind=[[stripes]])
    assert guard.accepted(stripes).tolist() == [False, True]
    assert guard.accepted(found).all()
    assert (found != slices.image).flatten(1).any(1).all()
