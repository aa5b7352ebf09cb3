from __future__ import annotations

import json

import pytest
import torch

from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.fit_typicality import fit_typicality
from monai_advdefense.guard.scores.foreground import slice_position
from monai_advdefense.guard.typicality import FAULTS, SCORES, TYPICALITY_CAUSES, Typicality


def _volume(seed):
    image, _ = brain_phantom((40, 30, 40), seed=seed)
    return (torch.from_numpy(image / 2000).float().movedim(1, 0))[:, None]


@pytest.fixture(scope="module")
def fitted():
    return fit_typicality([_volume(seed) for seed in range(8)], [f"P{seed}" for seed in range(8)])


def test_clean_slices_are_rejected_as_often_as_asked(fitted):
    judged = torch.cat([result.judged for result in fitted.scores])
    rejected = torch.cat([result.rejected for result in fitted.scores])
    assert not rejected[~judged].any()
    assert 0.02 < float(rejected[judged].float().mean()) <= 0.05
    assert json.loads(json.dumps(fitted.record))["judged_slices"] == int(judged.sum())


@pytest.mark.parametrize(
    ("cause", "spoil"),
    [
        ("smooth", lambda image: torch.nn.functional.avg_pool2d(image, 3, 1, 1) * (image > 0)),
        ("fine_pattern", lambda image: (image + 0.1 * torch.randn(image.shape)).clamp(0, 1) * (image > 0)),
        ("intensity", lambda image: image**2),
    ],
)
def test_spoilt_volumes_are_seen_and_their_cause_is_named(fitted, cause, spoil):
    image = _volume(20)
    assert fitted.model(image).rejected.float().mean() < 0.3
    found = fitted.model(spoil(image))
    assert found.rejected[found.judged].float().mean() > 0.7
    named = [TYPICALITY_CAUSES[row] for row in found.by_cause[found.judged].argmax(dim=1)]
    assert named.count(cause) > 0.6 * len(named)


@pytest.mark.parametrize(
    ("fault", "second", "expected"),
    [("blur", 0.6, "smooth"), ("blur", 0.8, "foreign"), ("blur", -9.0, "smooth"), ("dark", 0.8, "intensity")],
)
def test_what_faults_of_two_causes_explain_alike_is_foreign_unless_intensity_does_best(
    fitted, monkeypatch, fault, second, expected
):
    odds = torch.full((10, len(FAULTS)), -20.0)
    odds[:, FAULTS.index(fault)], odds[:, FAULTS.index("motion")] = 30.0, 30.0 * second
    monkeypatch.setattr(fitted.model, "fault_odds", lambda z: odds)
    found = fitted.model(_volume(20)[10:20])
    assert {TYPICALITY_CAUSES[row] for row in found.by_cause.argmax(dim=1)} == {expected}
    torch.testing.assert_close(found.by_cause.amax(dim=1), found.scores.amax(dim=1))


def test_one_dark_slice_stands_out_of_its_neighbours(fitted):
    image = _volume(21)
    dark = image.clone()
    dark[15] *= 0.7
    before, after = (fitted.model(x).scores[15, SCORES.index("neighbour_histogram")] for x in (image, dark))
    assert after > before + 3
    assert fitted.model(dark).rejected[15]


def test_scores_are_differentiable_and_their_largest_is_that_of_its_cause(fitted):
    image = _volume(22)[10:20].requires_grad_()
    found = fitted.model(image)
    torch.testing.assert_close(found.by_cause.amax(dim=1), found.scores.amax(dim=1))
    (gradient,) = torch.autograd.grad(found.scores.amax(dim=1).sum(), image)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).abs().amax(dim=1).gt(0).all()


def test_not_fitted_rejects_all_and_state_travels(fitted):
    other = Typicality()
    image = _volume(23)
    assert other(image).rejected.all()
    other.load_state_dict(fitted.model.state_dict())
    assert torch.equal(other(image).scores, fitted.model(image).scores)


def test_a_broken_slice_is_never_accepted(fitted):
    image = _volume(24)
    image[15, 0, 20, 20] = float("nan")
    assert fitted.model(image).rejected[15]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_slice_of_which_nothing_is_a_number_is_never_accepted(fitted, value):
    image = _volume(24)
    image[15] = value
    found = fitted.model(image)
    assert found.rejected[15]
    assert not found.scores[15].isfinite().all()


def test_a_slice_without_neighbours_is_not_compared_with_any(fitted):
    column = [row for row, name in enumerate(SCORES) if name.startswith("neighbour")]
    alone, whole = fitted.model(_volume(25)[15:16]).scores[0, column], fitted.model(_volume(25)).scores[15, column]
    assert (alone <= whole).all()


def test_precision_of_the_image_does_not_matter(fitted):
    image = _volume(26)[10:14].half()
    assert torch.equal(fitted.model(image).scores, fitted.model(image.double()).scores)


def test_too_few_subjects_and_unlike_volumes_are_refused():
    with pytest.raises(CalibrationError, match="at least 5 subjects, found 1"):
        fit_typicality([_volume(0)], ["P0"])
    with pytest.raises(InputError, match="found 1 volumes, 2 subjects"):
        fit_typicality([_volume(0)], ["P0", "P1"])


def test_volumes_without_tissue_are_refused():
    with pytest.raises(CalibrationError, match="volumes: expected slices that show tissue, found none"):
        fit_typicality([torch.zeros(4, 1, 40, 40)] * 5, [f"P{seed}" for seed in range(5)])


def test_a_fit_on_slabs_judges_slices_of_which_half_is_missing():
    slab = slice(11, 19)
    fitted = fit_typicality([_volume(seed)[slab] for seed in range(8)], [f"P{seed}" for seed in range(8)])
    half = _volume(20)[slab]
    half[:, :, :20] = 0
    found = fitted.model(half)
    assert found.judged.all()
    assert found.rejected.all()


def test_names_differ_and_causes_can_be_explained():
    assert len(set(SCORES)) == len(SCORES)
    assert set(TYPICALITY_CAUSES) < set(CAUSES)


def test_slices_that_are_not_neighbours_are_not_compared(fitted):
    image = _volume(25)
    whole = fitted.model(image)
    position = slice_position((image > 0.02).flatten(1).sum(dim=1))
    alone = fitted.model(image[5:25:5], position=position[5:25:5])
    jumps = [row for row, name in enumerate(SCORES) if name.startswith("neighbour")]
    others = [row for row in range(len(SCORES)) if row not in jumps]
    assert not alone.scores[:, jumps].any()
    torch.testing.assert_close(alone.scores[:, others], whole.scores[5:25:5][:, others], rtol=1e-3, atol=1e-2)
