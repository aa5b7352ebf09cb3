from __future__ import annotations

import numpy as np
import pytest
import torch

from experiments.evaluation.networks import segmenter_config
from experiments.slices import Slices, evenly_spaced, guard_accepts, load_slices


@pytest.mark.parametrize(("count", "wanted"), [(190, 12), (5, 5), (3, 12), (1, 1)])
def test_evenly_spaced(count, wanted):
    places = evenly_spaced(np.zeros(count, int), wanted)
    assert len(places) == min(count, wanted)
    assert 0 <= min(places) <= max(places) < count
    if len(places) > 1:
        gaps = np.diff(places)
        assert 1 <= gaps.min() <= gaps.max() <= gaps.min() + 1


def test_each_volume_has_its_own_evenly_spaced_slices():
    volume = np.repeat([0, 3], [10, 4])
    assert evenly_spaced(volume, 2) == [2, 7, 11, 13]


def test_some_of_the_slices():
    number = np.arange(4)
    slices = Slices(torch.arange(4.0).view(4, 1, 1, 1), torch.arange(4).view(4, 1, 1), number // 2, number, 10 * number)
    chosen = slices.at([3, 0])
    assert len(chosen) == 2
    assert chosen.image.flatten().tolist() == [3.0, 0.0]
    assert chosen.label.flatten().tolist() == chosen.subject.tolist() == [3, 0]
    assert chosen.volume.tolist() == [1, 0]
    assert chosen.slice.tolist() == [30, 0]


def test_slices_of_a_split_are_those_of_its_volumes_that_are_not_blank(bundles, phantoms):
    slices = load_slices(segmenter_config(bundles, phantoms), phantoms, "test")
    assert len(np.unique(slices.volume)) == len(np.unique(slices.subject)) == 2
    assert slices.image.shape == (len(slices), 1, 32, 32)
    assert slices.label.shape == (len(slices), 32, 32)
    assert slices.label.dtype == torch.int64
    assert (slices.image.flatten(1).amax(1) > 0).all()
    assert 0 <= slices.image.min() <= slices.image.max() <= 1
    other = load_slices(segmenter_config(bundles, phantoms), phantoms, "calibration")
    assert not set(other.subject) & set(slices.subject)


def test_decisions_about_scores_are_those_of_the_guard():
    scores = np.array([[0.5, 1.0], [1.5, np.nan]])
    assert guard_accepts(scores, 1.0).tolist() == [[True, True], [False, False]]
    assert not guard_accepts(scores, np.nan).any()
