from __future__ import annotations

import pytest
import torch

from monai_advdefense.guard.prediction_by_resolution import PredictionByResolution
from tests.guard.phantom_screen import CLASSES, fitted_screen, numbers


@pytest.fixture(scope="module")
def fitted():
    return fitted_screen().prediction


def test_a_scan_on_the_grid_is_judged_by_the_first_model_and_another_by_the_second(fitted):
    found = numbers(40)
    for native in (None, (1.0, 1.0, 1.0), (1.0, 1.004, 0.999)):
        assert torch.equal(fitted(found, native), fitted.on_grid(found))
    for native in ((0.8, 0.8, 0.8), (1.0, 1.0, 1.5)):
        assert torch.equal(fitted(found, native), fitted.resampled(found))
    assert not torch.equal(fitted.on_grid(found), fitted.resampled(found))


def test_neighbours_may_be_given(fitted):
    found = numbers(41)
    for native in (None, (0.8, 0.8, 0.8)):
        alone = fitted(found, native, found.area)
        assert torch.equal(alone[:, :2], fitted(found, native)[:, :2])
        assert not torch.equal(alone[:, 2], fitted(found, native)[:, 2])


def test_not_fitted_gives_no_number():
    for native in (None, (0.8, 0.8, 0.8)):
        assert torch.isnan(PredictionByResolution(CLASSES)(numbers(42), native)).all()
