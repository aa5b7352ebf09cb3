from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from experiments.screen.conditions import ATTACKS, BLIND_ATTACKS, CLEAN, SPOILT, VOXEL_SIZES, causes_of
from monai_advdefense.guard.causes import CAUSES
from tests.guard.phantom_slices import phantom_slices


@pytest.mark.parametrize("name", SPOILT)
def test_what_spoils_a_volume_keeps_its_size_and_range_and_changes_it(name):
    volume = phantom_slices(0)
    spoilt = SPOILT[name](volume)
    assert spoilt.shape == volume.shape
    assert spoilt.isfinite().all()
    assert not torch.allclose(spoilt, volume, atol=1e-3)


def test_causes_are_those_that_the_screen_can_name():
    for name in (*SPOILT, *ATTACKS):
        assert set(causes_of(name)) <= {*CAUSES}, name
    assert all(causes_of(name) == ("smooth",) for name in VOXEL_SIZES)
    assert causes_of(CLEAN) == ()
    assert causes_of("optimised bias field") == ("bias_field",)


def _attacked():
    """Two images with a segmenter alone."""
    torch.manual_seed(0)
    segmenter, image = nn.Conv2d(1, 4, 3, padding=1), torch.rand(2, 1, 16, 16)
    return SimpleNamespace(guard=SimpleNamespace(segmenter=segmenter), image=image, label=torch.randint(4, (2, 16, 16)))


@pytest.mark.parametrize("name", BLIND_ATTACKS)
def test_blind_attacks_need_the_segmenter_alone(name):
    on = _attacked()
    found = BLIND_ATTACKS[name].craft(on)
    assert found.shape == on.image.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert not torch.equal(found, on.image)
