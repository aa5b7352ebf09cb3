from __future__ import annotations

import pytest
import torch

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.scores.position_atlas import PositionAtlas


def clean_slices(slices=4000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    position = torch.rand(slices, generator=generator)
    noise = torch.randn(slices, 2, generator=generator)
    center = torch.stack([torch.sin(6 * position), 10 * position**2], 1)
    scale = torch.stack([0.1 + 0.2 * position, torch.full_like(position, 0.5)], 1)
    return center + scale * noise, position


@pytest.fixture(scope="module")
def atlas():
    found = PositionAtlas(torch.tensor([0.01, 0.01]))
    values, position = clean_slices()
    found.fit(values, position, torch.ones_like(values))
    return found


def test_new_clean_slices_are_standard_normal_at_every_position(atlas):
    values, position = clean_slices(seed=1)
    z = atlas(values, position)
    for low in (0.05, 0.3, 0.6, 0.9):
        part = z[(position >= low) & (position < low + 0.1)]
        torch.testing.assert_close(part.mean(0), torch.zeros(2), atol=0.2, rtol=0)
        torch.testing.assert_close(part.std(0), torch.ones(2), atol=0.15, rtol=0)


def test_values_at_another_position_stand_out(atlas):
    values, position = clean_slices(seed=2)
    assert (atlas(values, position + 0.3).abs().amax(1)[position < 0.7] > 3).float().mean() > 0.85


def test_a_number_that_is_not_shown_counts_neither_in_the_fit_nor_at_that_position():
    values, position = clean_slices()
    shown = torch.ones_like(values)
    shown[position > 0.5, 0] = 0
    values[position > 0.5, 0] = 1e6
    found = PositionAtlas(torch.tensor([0.01, 0.01]))
    found.fit(values, position, shown)
    z = found(torch.full((3, 2), 50.0), torch.tensor([0.2, 0.48, 0.8]))
    assert (z[:2, 0] > 100).all()
    assert z[2, 0] == 0
    assert (z[:, 1] > 10).all()


def test_no_scale_is_smaller_than_asked():
    position = torch.linspace(0, 1, 300)
    found = PositionAtlas(torch.tensor([0.25]))
    found.fit(torch.ones(300, 1), position, torch.ones(300, 1))
    torch.testing.assert_close(found(torch.tensor([[2.0]]), torch.tensor([0.4])), torch.tensor([[4.0]]))


def test_positions_beyond_the_object_are_those_of_its_ends(atlas):
    values = torch.ones(2, 2)
    assert torch.equal(atlas(values, torch.tensor([-1.0, 2.0])), atlas(values, torch.tensor([0.0, 1.0])))


def test_without_a_fit_everything_is_nan():
    assert PositionAtlas(torch.ones(2))(torch.ones(3, 2), torch.rand(3)).isnan().all()


def test_a_state_dict_and_a_script_give_the_same(atlas):
    values, position = clean_slices(50, seed=3)
    other = PositionAtlas(torch.zeros(2))
    other.load_state_dict(atlas.state_dict())
    assert torch.equal(other(values, position), atlas(values, position))
    torch.testing.assert_close(torch.jit.script(atlas)(values, position), atlas(values, position))


def test_what_cannot_be_fitted_is_an_error():
    found, position = PositionAtlas(torch.ones(2)), torch.rand(30)
    with pytest.raises(InputError, match=r"expected finite numbers \(30, 2\)"):
        found.fit(torch.ones(30, 3), position, torch.ones(30, 3))
    with pytest.raises(InputError, match="expected finite numbers"):
        found.fit(torch.full((30, 2), torch.nan), position, torch.ones(30, 2))
    with pytest.raises(CalibrationError, match="that 5 slices show, found none"):
        found.fit(torch.ones(30, 2), position, torch.zeros(30, 2))
