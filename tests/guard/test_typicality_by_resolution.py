from __future__ import annotations

import pytest
import torch

from monai_advdefense.guard.scores.native_resolution import as_from_spacing
from monai_advdefense.guard.typicality import TYPICALITY_CAUSES
from monai_advdefense.guard.typicality_by_resolution import TypicalityByResolution, fit_typicality_by_resolution
from tests.guard.phantom_slices import phantom_slices


@pytest.fixture(scope="module")
def fitted():
    return fit_typicality_by_resolution([phantom_slices(seed) for seed in range(8)], [f"P{seed}" for seed in range(8)])


def test_a_resampled_volume_is_clean_if_its_voxel_size_is_known(fitted):
    native = (1.3, 1.3, 1.3)
    copy = as_from_spacing(phantom_slices(20), native)
    unknown, known = (fitted.model(copy, size) for size in (None, native))
    assert unknown.rejected[unknown.judged].float().mean() > 0.7
    assert known.rejected[known.judged].float().mean() < 0.3


def test_thick_slices_are_low_resolution_and_no_attack(fitted):
    native = (1.0, 1.0, 3.0)
    found = fitted.model(as_from_spacing(phantom_slices(23), native), native)
    assert found.rejected[found.judged].float().mean() > 0.7
    named = {TYPICALITY_CAUSES[row] for row in found.by_cause[found.judged & found.rejected].argmax(dim=1)}
    assert named == {"smooth"}
    torch.testing.assert_close(found.by_cause[found.judged].amax(dim=1), found.scores[found.judged].amax(dim=1))


def test_a_volume_on_the_grid_has_the_scores_of_the_first_model(fitted):
    image = phantom_slices(21)
    expected = fitted.on_grid.model(image).scores
    for native in (None, (1.0, 1.0, 1.0), (1.0, 1.004, 0.999)):
        assert torch.equal(fitted.model(image, native).scores, expected)


def test_not_fitted_rejects_all_and_state_travels(fitted):
    other, image = TypicalityByResolution(), phantom_slices(22)
    assert other(image).rejected.all()
    assert other(image, (0.8, 0.8, 0.8)).rejected.all()
    other.load_state_dict(fitted.model.state_dict())
    for native in (None, (0.8, 0.8, 0.8)):
        assert torch.equal(other(image, native).scores, fitted.model(image, native).scores)
