from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.scores.foreground import slice_position
from monai_advdefense.guard.typicality import FAULTS, SCORES, TYPICALITY_CAUSES, Typicality, jumps
from tests.guard.phantom_slices import phantom_slices


@pytest.mark.parametrize(
    ("cause", "spoil"),
    [
        ("smooth", lambda image: torch.nn.functional.avg_pool2d(image, 3, 1, 1) * (image > 0)),
        ("fine_pattern", lambda image: (image + 0.1 * torch.randn(image.shape)).clamp(0, 1) * (image > 0)),
        ("intensity", lambda image: image**2),
    ],
)
def test_spoilt_volumes_are_seen_and_their_cause_is_named(fitted, cause, spoil):
    image = phantom_slices(20)
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
    found = fitted.model(phantom_slices(20)[10:20])
    assert {TYPICALITY_CAUSES[row] for row in found.by_cause.argmax(dim=1)} == {expected}
    torch.testing.assert_close(found.by_cause.amax(dim=1), found.scores.amax(dim=1))


@pytest.mark.parametrize(
    ("likeliest", "second", "expected"),
    [(-1.0, -1.01, "smooth"), (-2.9, -2.95, "smooth"), (0.5, -0.1, "smooth"), (-3.1, -3.2, "foreign")],
)
def test_of_faults_below_even_odds_the_likeliest_is_named_unless_all_are_unlikely(
    fitted, monkeypatch, likeliest, second, expected
):
    odds = torch.full((10, len(FAULTS)), -20.0)
    odds[:, FAULTS.index("blur")], odds[:, FAULTS.index("motion")] = likeliest, second
    monkeypatch.setattr(fitted.model, "fault_odds", lambda z: odds)
    monkeypatch.setattr(fitted.model, "noise_odds", lambda z: odds[:, 0] * 0 - 20.0)
    found = fitted.model(phantom_slices(20)[10:20])
    assert {TYPICALITY_CAUSES[row] for row in found.by_cause.argmax(dim=1)} == {expected}


def test_one_dark_slice_stands_out_of_its_neighbours(fitted):
    image = phantom_slices(21)
    dark = image.clone()
    dark[15] *= 0.7
    before, after = (fitted.model(x).scores[15, SCORES.index("neighbour_histogram")] for x in (image, dark))
    assert after > before + 3
    assert fitted.model(dark).rejected[15]


def test_scores_are_differentiable_and_their_largest_is_that_of_its_cause(fitted):
    image = phantom_slices(22)[10:20].requires_grad_()
    found = fitted.model(image)
    torch.testing.assert_close(found.by_cause.amax(dim=1), found.scores.amax(dim=1))
    (gradient,) = torch.autograd.grad(found.scores.amax(dim=1).sum(), image)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).abs().amax(dim=1).gt(0).all()


def test_not_fitted_rejects_all_and_state_travels(fitted):
    other = Typicality()
    image = phantom_slices(23)
    assert other(image).rejected.all()
    other.load_state_dict(fitted.model.state_dict())
    assert torch.equal(other(image).scores, fitted.model(image).scores)


def test_a_broken_slice_is_never_accepted(fitted):
    image = phantom_slices(24)
    image[15, 0, 20, 20] = float("nan")
    assert fitted.model(image).rejected[15]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_slice_of_which_nothing_is_a_number_is_never_accepted(fitted, value):
    image = phantom_slices(24)
    image[15] = value
    found = fitted.model(image)
    assert found.rejected[15]
    assert not found.scores[15].isfinite().all()


def test_a_slice_without_neighbours_is_not_compared_with_any(fitted):
    column = [row for row, name in enumerate(SCORES) if name.startswith("neighbour")]
    alone, whole = (
        fitted.model(phantom_slices(25)[15:16]).scores[0, column],
        fitted.model(phantom_slices(25)).scores[15, column],
    )
    assert (alone <= whole).all()


def test_precision_of_the_image_does_not_matter(fitted):
    image = phantom_slices(26)[10:14].half()
    assert torch.equal(fitted.model(image).scores, fitted.model(image.double()).scores)


def test_names_differ_and_causes_can_be_explained():
    assert len(set(SCORES)) == len(SCORES)
    assert set(TYPICALITY_CAUSES) < set(CAUSES)


def test_slices_that_are_not_neighbours_are_not_compared(fitted):
    image = phantom_slices(25)
    whole = fitted.model(image)
    position = slice_position((image > 0.02).flatten(1).sum(dim=1))
    alone = fitted.model(image[5:25:5], position=position[5:25:5])
    jumps = [row for row, name in enumerate(SCORES) if name.startswith("neighbour")]
    others = [row for row in range(len(SCORES)) if row not in jumps]
    assert not alone.scores[:, jumps].any()
    torch.testing.assert_close(alone.scores[:, others], whole.scores[5:25:5][:, others], rtol=1e-3, atol=1e-2)


def test_jumps_are_differences_to_the_median_of_judged_neighbours():
    z = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    judged = torch.tensor([True, True, False, True, True, False, True, True, False])
    found = jumps(z, judged)
    for place in range(9):
        near = [n for n in range(place - 3, place + 4) if n != place and 0 <= n < 9 and judged[n]]
        # With two in the middle the lower one is the median.
        median = np.sort(z[near].numpy(), axis=0)[(len(near) - 1) // 2]
        expected = z[place].numpy() - median if judged[place] else np.zeros(2)
        np.testing.assert_allclose(found[place].numpy(), expected)
    assert not jumps(z, torch.arange(9) == 4).any()
