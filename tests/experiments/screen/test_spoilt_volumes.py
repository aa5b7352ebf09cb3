from __future__ import annotations

import pytest
import torch

from experiments.screen.spoilt_volumes import CAUSES, SPOILT_VOLUMES, changed_slices
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.guard.causes import CAUSES as EXPLAINED


@pytest.fixture(scope="module")
def volume():
    image, _ = brain_phantom((64, 50, 64), seed=0)
    return (torch.from_numpy(image / 2000).float().movedim(1, 0))[:, None]


@pytest.mark.parametrize("name", SPOILT_VOLUMES)
def test_every_fault_changes_slices_and_keeps_the_range(volume, name):
    spoilt = SPOILT_VOLUMES[name](volume)
    assert spoilt.shape == volume.shape
    assert spoilt.min() >= 0
    assert spoilt.max() <= 1.5 if name == "every second line at 40 %" else spoilt.max() <= 1
    changed = changed_slices(volume, spoilt)
    shown = (volume > 0).flatten(1).sum(dim=1) > 200
    assert changed[shown].float().mean() == pytest.approx(0.1 if "tenth" in name else 1, abs=0.04)


def test_mirrored_is_left_and_right(volume):
    assert torch.equal(SPOILT_VOLUMES["mirrored"](volume)[:, :, 0], volume[:, :, -1])
    half = SPOILT_VOLUMES["half missing"](volume)
    assert not half[:, :, :32].any()
    assert torch.equal(half[:, :, 32:], volume[:, :, 32:])


def test_causes_can_be_explained():
    assert {cause for causes in CAUSES.values() for cause in causes} < set(EXPLAINED)
    assert set(SPOILT_VOLUMES) - set(CAUSES) == {"mirrored"}


def test_weaker_lines_lay_a_ghost_half_of_the_frame_away(volume):
    spoilt = SPOILT_VOLUMES["every second line at 40 %"](volume)
    ghost = volume.roll(volume.shape[-2] // 2, -2)
    torch.testing.assert_close(spoilt, 0.7 * volume + 0.3 * ghost, atol=1e-5, rtol=0)


def test_a_motion_by_whole_pixels_of_what_does_not_vary_along_it_is_not_seen():
    rows = torch.rand(3, 1, 1, 24).expand(3, 1, 16, 24) * 0.8 + 0.1
    torch.testing.assert_close(SPOILT_VOLUMES["motion of 1.5 pixels"](rows), rows, atol=1e-5, rtol=0)


def test_closed_forms_of_poses_and_powers(volume):
    turned = SPOILT_VOLUMES["rotated by 90 degrees"](volume)
    assert torch.equal(turned.rot90(3, (-2, -1)), volume)
    assert torch.equal(SPOILT_VOLUMES["upside down"](volume)[..., 0], volume[..., -1])
    away = SPOILT_VOLUMES["slices from 2 cm away"](volume)
    assert torch.equal(away[20:], volume[:-20])
    torch.testing.assert_close(SPOILT_VOLUMES["gamma 1.5"](volume) ** 2, volume**3)
    dark = SPOILT_VOLUMES["every tenth slice 0.6 as bright"](volume)
    assert torch.equal(torch.nonzero(changed_slices(volume, dark))[:, 0] % 10, torch.full((4,), 5))
    torch.testing.assert_close(dark[15], 0.6 * volume[15])


def test_rounding_changes_no_slice(volume):
    assert not changed_slices(volume, volume + 1e-4).any()
    one = volume.clone()
    one[7, 0, 3, 3] += 0.01
    assert torch.nonzero(changed_slices(volume, one)).tolist() == [[7]]
