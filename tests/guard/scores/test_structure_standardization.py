from __future__ import annotations

import pytest
import torch

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.scores.standardization import Standardization
from monai_advdefense.guard.scores.structure_standardization import StructureStandardization


def clean_slices(slices=600, seed=0):
    """Two structures whose value falls with their area, and a third that only few slices show."""
    generator = torch.Generator().manual_seed(seed)
    position = torch.rand(slices, generator=generator)
    log_area = 4 + 2 * torch.rand(slices, 3, generator=generator)
    noise = torch.randn(slices, 3, generator=generator)
    values = torch.tensor([1.0, -5.0, 0.0]) - log_area + torch.sin(3 * position)[:, None] + 0.2 * noise
    present = torch.rand(slices, 3, generator=generator) > 0.2
    present[:, 2] = torch.arange(slices) < 10
    return values, position, log_area, present


@pytest.fixture(scope="module")
def standardization():
    found = StructureStandardization(3)
    found.fit(*clean_slices())
    return found


def test_each_structure_is_standardized_as_by_itself_on_the_slices_that_show_it(standardization):
    values, position, log_area, present = clean_slices()
    z = standardization(values, position, log_area)
    for index in range(2):
        rows = present[:, index]
        single = Standardization(1)
        single.fit(values[rows, index, None], position[rows], log_area[rows, index])
        expected = single(values[:, index, None], position, log_area[:, index])[:, 0]
        torch.testing.assert_close(z[:, index], expected, atol=1e-4, rtol=1e-4)


def test_new_clean_slices_are_standard_normal(standardization):
    values, position, log_area, _ = clean_slices(3000, seed=1)
    z = standardization(values, position, log_area)[:, :2]
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.1, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(2), atol=0.15, rtol=0)


def test_a_structure_that_few_slices_show_is_never_conspicuous(standardization):
    values, position, log_area, _ = clean_slices()
    assert (standardization(1e6 * values, position, log_area)[:, 2] == 0).all()


def test_values_of_slices_that_do_not_show_a_structure_do_not_count(standardization):
    values, position, log_area, present = clean_slices()
    spoilt = torch.where(present, values, torch.nan)
    found = StructureStandardization(3)
    found.fit(spoilt, position, log_area, present)
    for name, buffer in found.state_dict().items():
        assert torch.equal(buffer, standardization.state_dict()[name]), name


def test_without_a_fit_everything_is_nan():
    assert StructureStandardization(2)(torch.ones(3, 2), torch.rand(3), torch.ones(3, 2)).isnan().all()


def test_scripted_equals_eager(standardization):
    values, position, log_area, _ = clean_slices(20)
    expected = standardization(values, position, log_area)
    torch.testing.assert_close(torch.jit.script(standardization)(values, position, log_area), expected)


def test_what_cannot_be_fitted_is_an_error():
    values, position, log_area, present = clean_slices()
    with pytest.raises(InputError, match=r"expected three of shape \(600, 3\)"):
        StructureStandardization(3).fit(values, position, log_area[:, :2], present)
    with pytest.raises(CalibrationError, match="at least 40 slices show, found at most 10 slices"):
        StructureStandardization(3).fit(values[:10], position[:10], log_area[:10], present[:10] | True)
