from __future__ import annotations

import pytest
import torch

from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.scores.synthetic_faults import FAULT_CAUSES, SYNTHETIC_FAULTS


@pytest.mark.parametrize("name", SYNTHETIC_FAULTS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_fault_changes_every_slice_and_keeps_the_background(name, channels):
    image = torch.zeros(8, channels, 64, 64)
    image[..., 10:50, 20:60] = torch.rand(8, channels, 40, 40, generator=torch.Generator().manual_seed(0))
    spoilt = SYNTHETIC_FAULTS[name](image, torch.Generator().manual_seed(1))
    assert spoilt.shape == image.shape
    # No MetaTensor of a transform, which would make all that follows slow.
    assert type(spoilt) is torch.Tensor
    assert spoilt.min() >= 0
    assert spoilt.max() <= 1
    assert ((spoilt - image).abs() > 1e-3).flatten(1).any(dim=1).all()
    if FAULT_CAUSES[name] != "anatomy" and name != "ghost":
        assert not spoilt[image == 0].any()
    assert torch.equal(SYNTHETIC_FAULTS[name](image, torch.Generator().manual_seed(1)), spoilt)


def test_causes_are_those_that_can_be_explained():
    assert set(FAULT_CAUSES.values()) < set(CAUSES)
