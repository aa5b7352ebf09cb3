from __future__ import annotations

import pytest
import torch

from monai_advdefense.data.phantom import brain_phantom


@pytest.fixture(scope="session")
def slices():
    """Three slices with an empty border (3, 1, 64, 64) and their labels."""
    image, label = (torch.from_numpy(array) for array in brain_phantom((64, 24, 64), seed=0))
    return image.movedim(1, 0)[9:15:2, None].float() / 2000, label.movedim(1, 0)[9:15:2, None].long()


@pytest.fixture(scope="session")
def volume():
    """A volume of two channels (1, 2, 24, 24, 24)."""
    images = [torch.from_numpy(brain_phantom((24, 24, 24), seed=seed)[0]) for seed in (0, 1)]
    return torch.stack(images)[None].float() / 2000
