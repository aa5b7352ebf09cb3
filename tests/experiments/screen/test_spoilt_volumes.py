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
