from __future__ import annotations

import pytest
import torch

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.scores.standardization import Standardization


def _slices(count=2000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    position = torch.rand(count, generator=generator)
    log_area = 9 - 4 * (position - 0.5) ** 2 + 0.1 * torch.randn(count, generator=generator)
    noise = torch.randn(count, 2, generator=generator)
    center = torch.stack([3 + 2 * position**4 + 0.5 * log_area, -position], dim=1)
    # Noise three times as wide at the end as at the start.
    values = center + noise * torch.stack([0.1 * torch.exp(1.1 * position), torch.full_like(position, 5.0)], dim=1)
    return values, position, log_area


def _fitted(values, position, log_area):
    standardization = Standardization(values.shape[1])
    standardization.fit(values, position, log_area)
    return standardization


def test_z_values_are_standard_normal_at_every_position():
    fitted = _fitted(*_slices())
    values, position, log_area = _slices(4000, seed=1)
    z = fitted(values, position, log_area)
    for low in (0.0, 0.25, 0.5, 0.75):
        part = z[(position >= low) & (position < low + 0.25)]
        assert part.mean(dim=0).abs().max() < 0.15
        assert ((part.std(dim=0) - 1).abs() < 0.15).all()


def test_wild_end_slices_do_not_make_the_scale():
    values, position, log_area = _slices()
    clean = _fitted(values, position, log_area)
    ends = position > 0.97
    wild = torch.where(ends[:, None], values + 100 * torch.randn(values.shape), values)
    spoilt = _fitted(wild, position, log_area)
    middle = position < 0.9
    difference = spoilt(values, position, log_area) - clean(values, position, log_area)
    assert difference[middle].abs().mean() < 0.1
    assert difference[middle].abs().max() < 1


def test_covariates_shift_the_center():
    values, position, log_area = _slices()
    covariate = torch.rand(len(values), 1)
    standardization = Standardization(2, covariates=1)
    standardization.fit(values + 7 * covariate, position, log_area, covariate)
    z = standardization(values + 7 * covariate, position, log_area, covariate)
    torch.testing.assert_close(z, _fitted(values, position, log_area)(values, position, log_area), atol=0.1, rtol=0.1)


def test_beyond_what_was_fitted_nothing_is_extrapolated():
    fitted = _fitted(*_slices())
    area = fitted.log_area_range
    low, lower = (fitted(torch.zeros(1, 2), torch.tensor([0.5]), x) for x in (area[:1], area[:1] - 5))
    assert torch.equal(low, lower)


def test_not_fitted_is_nan_and_state_travels():
    values, position, log_area = _slices(100)
    other = Standardization(2)
    assert other(values, position, log_area).isnan().all()
    fitted = _fitted(values, position, log_area)
    other.load_state_dict(fitted.state_dict())
    expected = fitted(values, position, log_area)
    assert torch.equal(other(values, position, log_area), expected)
    assert torch.equal(torch.jit.script(fitted)(values, position, log_area), expected)


def test_constant_values_give_finite_z():
    _, position, log_area = _slices(100)
    z = _fitted(torch.ones(100, 2), position, log_area)(torch.ones(100, 2), position, log_area)
    assert z.abs().max() < 1


def test_too_few_or_broken_slices_are_refused():
    values, position, log_area = _slices(30)
    with pytest.raises(CalibrationError, match="at least 20 slices, found 19"):
        _fitted(values[:19], position[:19], log_area[:19])
    with pytest.raises(InputError, match="one position and area"):
        _fitted(values, position[:5], log_area)
    values[3, 1] = float("nan")
    with pytest.raises(InputError, match="values: expected finite"):
        _fitted(values, position, log_area)
