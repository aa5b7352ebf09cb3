from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.guard.scores.neighbour_change import NeighbourChange, neighbour_area
from monai_advdefense.guard.scores.structure_shape import structure_shape


def areas(organ, subject):
    return structure_shape(organ.logits(organ.labels(subject)))[0]


@pytest.fixture(scope="module")
def change(organ):
    volumes = [areas(organ, subject) for subject in range(12)]
    found = NeighbourChange(organ.CLASSES)
    neighbours = torch.cat([neighbour_area(volume) for volume in volumes])
    found.fit(torch.cat(volumes), neighbours, organ.positions().repeat(12))
    return found


def score(organ, change, area):
    return change(area, neighbour_area(area), organ.positions())


def test_neighbours_are_the_slices_before_and_after():
    area = torch.rand(9, 3, generator=torch.Generator().manual_seed(0))
    found = neighbour_area(area)
    torch.testing.assert_close(found[1:-1], (area[:-2] + area[2:]) / 2)
    torch.testing.assert_close(found[[0, -1]], area[[1, -2]])
    torch.testing.assert_close(neighbour_area(area.flip(0)), found.flip(0))


@pytest.mark.parametrize("structure", [1, 2, 3])
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.6])
def test_a_structure_that_changes_in_one_slice_is_seen_there_and_named(organ, change, structure, factor):
    area = areas(organ, 100)
    limit = float(torch.cat([score(organ, change, areas(organ, subject)) for subject in range(12)]).quantile(0.95))
    for index in (20, 30, 40):
        spoilt = area.clone()
        spoilt[index, structure] *= factor
        found = score(organ, change, spoilt)
        assert found[index] > limit
        assert found.argmax() == index
        deviations = change.deviations(spoilt, neighbour_area(spoilt), organ.positions())
        assert deviations[index].argmax() + 1 == structure


def test_the_background_does_not_count(organ, change):
    area = areas(organ, 101)
    other = area.clone()
    other[:, 0] = torch.rand(len(area)) * 1e4
    assert torch.equal(score(organ, change, other), score(organ, change, area))


def test_a_slice_that_was_not_compared_is_nan_with_its_neighbours(organ, change):
    area = areas(organ, 102)
    area[30] = math.nan
    assert score(organ, change, area).isnan().nonzero().flatten().tolist() == [29, 30, 31]


def test_an_attacker_can_descend_it(organ, change):
    area = areas(organ, 103)
    spoilt = area.clone()
    spoilt[30, 3] = 5.0
    spoilt.requires_grad_()
    found = change(spoilt[30:31], neighbour_area(area)[30:31], organ.positions()[30:31])
    (gradient,) = torch.autograd.grad(found.sum(), spoilt)
    assert gradient[30, 3] < 0


def test_without_a_fit_the_score_is_nan(organ):
    assert score(organ, NeighbourChange(organ.CLASSES), areas(organ, 0)).isnan().all()


def test_one_slice_has_no_neighbours():
    with pytest.raises(InputError, match="at least 2 slices"):
        neighbour_area(torch.ones(1, 3))
