from __future__ import annotations

import json

import pytest
import torch

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.fit_typicality import fit_typicality
from tests.guard.phantom_slices import phantom_slices


def test_clean_slices_are_rejected_as_often_as_asked(fitted):
    judged = torch.cat([result.judged for result in fitted.scores])
    rejected = torch.cat([result.rejected for result in fitted.scores])
    assert not rejected[~judged].any()
    assert 0.02 < float(rejected[judged].float().mean()) <= 0.05
    assert json.loads(json.dumps(fitted.record))["judged_slices"] == int(judged.sum())


def test_too_few_subjects_and_unlike_volumes_are_refused():
    with pytest.raises(CalibrationError, match="at least 5 subjects, found 1"):
        fit_typicality([phantom_slices(0)], ["P0"])
    with pytest.raises(InputError, match="found 1 volumes, 2 subjects"):
        fit_typicality([phantom_slices(0)], ["P0", "P1"])


def test_volumes_without_tissue_are_refused():
    with pytest.raises(CalibrationError, match="volumes: expected slices that show tissue, found none"):
        fit_typicality([torch.zeros(4, 1, 40, 40)] * 5, [f"P{seed}" for seed in range(5)])


def test_a_volume_that_shows_nothing_is_named():
    volumes = [phantom_slices(seed) for seed in range(5)]
    volumes[2] = torch.zeros_like(volumes[2])
    with pytest.raises(
        InputError, match="volume of P2: expected a slice that shows at least .* the object, found none"
    ):
        fit_typicality(volumes, [f"P{seed}" for seed in range(5)])


def test_a_fit_on_slabs_judges_slices_of_which_half_is_missing():
    slab = slice(11, 19)
    fitted = fit_typicality([phantom_slices(seed)[slab] for seed in range(8)], [f"P{seed}" for seed in range(8)])
    half = phantom_slices(20)[slab]
    half[:, :, :20] = 0
    found = fitted.model(half)
    assert found.judged.all()
    assert found.rejected.all()
