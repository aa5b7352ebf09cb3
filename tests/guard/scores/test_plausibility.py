from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.scores.plausibility import Plausibility
from monai_advdefense.guard.scores.structure_shape import structure_shape


def shapes(organ, subjects):
    area, centroid = structure_shape(organ.logits(torch.cat([organ.labels(subject) for subject in subjects])))
    return area, centroid, organ.positions().repeat(len(subjects))


@pytest.fixture(scope="module")
def plausibility(organ):
    found = Plausibility(organ.CLASSES)
    found.fit(*shapes(organ, range(30)), torch.arange(30).repeat_interleave(60))
    return found


def score(organ, plausibility, label):
    return plausibility(*structure_shape(organ.logits(label)), organ.positions())


@pytest.fixture(scope="module")
def limit(organ, plausibility):
    return float(plausibility(*shapes(organ, range(50, 70))).quantile(0.95))


MIDDLE = slice(20, 40)


def swapped(label):
    return torch.tensor([0, 2, 1, 3])[label]


def erased(label):
    return label.masked_fill(label == 3, 0)


def grown(label):
    return torch.where((label == 0) & (torch.arange(48) > 24), 2, label)


def half_missing(label):
    return label.masked_fill(torch.arange(48) < 24, 0)


def upside_down(label):
    return label.flip(1)


def elsewhere(label):
    return label.roll(25, 0)


def test_new_clean_volumes_are_plausible(organ, plausibility, limit):
    found = torch.cat([score(organ, plausibility, organ.labels(subject)) for subject in range(100, 106)])
    assert (found > limit).float().mean() < 0.15


@pytest.mark.parametrize("spoil", [swapped, erased, grown, half_missing, upside_down, elsewhere])
def test_what_cannot_be_is_seen(organ, plausibility, limit, spoil):
    found = score(organ, plausibility, spoil(organ.labels(200)))
    assert (found[MIDDLE] > limit).float().mean() > 0.9


@pytest.mark.parametrize(("spoil", "structure"), [(erased, 2), (grown, 1)])
def test_the_structure_that_is_off_is_named(organ, plausibility, spoil, structure):
    area, centroid = structure_shape(organ.logits(spoil(organ.labels(201))))
    found = plausibility.deviations(area, centroid, organ.positions())
    assert (found[MIDDLE].argmax(1) == structure).float().mean() > 0.9


def test_a_whole_organ_that_is_moved_in_the_frame_is_as_plausible(organ, plausibility):
    label = organ.labels(202)
    torch.testing.assert_close(
        score(organ, plausibility, label.roll(3, 2)), score(organ, plausibility, label), atol=1e-3, rtol=1e-3
    )


def test_the_score_of_a_prediction_that_is_not_finite_is_nan(organ, plausibility):
    logits = organ.logits(organ.labels(203))
    logits[7, 1, 0, 0] = math.nan
    found = plausibility(*structure_shape(logits), organ.positions())
    assert found.isnan().nonzero().flatten().tolist() == [7]


def test_an_attacker_can_descend_it(organ, plausibility):
    logits = organ.logits(erased(organ.labels(204)))[MIDDLE].requires_grad_()
    found = plausibility(*structure_shape(logits), organ.positions()[MIDDLE])
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1).abs().amax(1) > 0).all()


def test_without_a_fit_the_score_is_nan(organ):
    area, centroid, position = shapes(organ, [0])
    assert Plausibility(organ.CLASSES)(area, centroid, position).isnan().all()


def test_a_state_dict_and_a_script_give_the_same(organ, plausibility):
    area, centroid, position = shapes(organ, [205])
    other = Plausibility(organ.CLASSES)
    other.load_state_dict(plausibility.state_dict())
    assert torch.equal(other(area, centroid, position), plausibility(area, centroid, position))
    scripted = torch.jit.script(plausibility)
    torch.testing.assert_close(scripted(area, centroid, position), plausibility(area, centroid, position))
    torch.testing.assert_close(
        scripted.deviations(area, centroid, position), plausibility.deviations(area, centroid, position)
    )


def test_samples_of_three_axes_and_one_structure():
    generator = torch.Generator().manual_seed(0)
    area = 100 + torch.rand(3000, 2, generator=generator)
    centroid, position = torch.rand(3000, 2, 3, generator=generator), torch.rand(3000, generator=generator)
    found = Plausibility(2, spatial_dims=3)
    found.fit(area, centroid, position, torch.arange(3000) // 100)
    assert found(area * 9, centroid, position).amin() > found(area, centroid, position).amax()


def test_a_structure_that_differs_much_between_subjects_does_not_make_new_ones_implausible(organ):
    """One in ten subjects has a core half as large again: those and the others are as plausible when new."""
    area, centroid, position = shapes(organ, range(30))
    subject = torch.arange(30).repeat_interleave(60)
    area[subject % 10 == 0, 3] *= 1.5
    found = Plausibility(organ.CLASSES)
    found.fit(area, centroid, position, subject)
    limit = found(area, centroid, position).quantile(0.95)
    new_area, new_centroid, new_position = shapes(organ, [300])
    new_area[:, 3] *= 1.5
    assert (found(new_area, new_centroid, new_position) > limit).float().mean() < 0.3


def test_slices_of_one_subject_alone_are_an_error(organ):
    with pytest.raises(CalibrationError, match="at least 2 subjects, found 1"):
        Plausibility(organ.CLASSES).fit(*shapes(organ, [0]), torch.zeros(60, dtype=torch.long))
