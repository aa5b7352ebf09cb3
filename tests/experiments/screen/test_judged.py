from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from experiments.screen.judged import exchanged, judge_alone, judge_among_clean, judge_whole, rejected_by_image
from tests.experiments.screen.phantom_examined import examined, part_of
from tests.guard.phantom_screen import fitted_screen, numbers, phantom


@pytest.fixture(scope="module")
def screen():
    return fitted_screen()


def test_a_whole_volume_is_judged_as_the_screen_itself_does(screen):
    found, own = judge_whole(screen, examined(40)), screen(phantom(40)[0], numbers(40))
    assert torch.allclose(found.score, own.score, atol=1e-5)
    assert torch.equal(found.accepted, own.accepted)
    assert found.verdict.verdict == own.verdict.verdict


def test_clean_slices_that_are_exchanged_for_themselves_change_nothing(screen):
    clean = examined(41)
    part = part_of(clean, torch.arange(3, 30, 5))
    assert torch.equal(judge_among_clean(screen, part, clean).score, judge_whole(screen, clean).score)


def test_exchanged_slices_are_those_of_the_part_and_the_others_stay(screen):
    clean, other = examined(42), examined(43)
    index = torch.tensor([10, 20])
    mixed = exchanged(clean, part_of(other, index))
    for name, values in clean.features.items():
        assert torch.equal(mixed.features[name][index], other.features[name][index])
        assert torch.equal(mixed.features[name][11:20], values[11:20])
    assert torch.equal(mixed.prediction.area[index], other.prediction.area[index])
    assert torch.equal(mixed.reformed[index], other.reformed[index])


def test_slices_alone_are_judged_by_all_scores_but_those_of_neighbours(screen):
    clean = examined(44)
    spoilt = replace(clean, features=examined(44, lambda image: image**3).features)
    found = judge_alone(screen, part_of(spoilt, torch.arange(0, 30, 4)))
    jumps = [index for index, name in enumerate(screen.reference.scores) if name.startswith("neighbour_")]
    assert not found.scores[:, jumps].any()
    assert (~found.accepted)[found.judged].float().mean() > 0.5


def test_what_the_image_alone_rejects_is_rejected_whatever_its_prediction(screen):
    spoilt = part_of(examined(45, lambda image: image**3), torch.arange(0, 30, 4))
    alone = rejected_by_image(screen, spoilt.features, spoilt.prediction.position)
    assert alone.any()
    lazy = replace(spoilt, predicted=spoilt.predicted & ~alone)
    found, full = judge_alone(screen, lazy), judge_alone(screen, spoilt)
    assert torch.equal(found.accepted, full.accepted)
    assert not found.accepted[alone].any()
