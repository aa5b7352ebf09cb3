from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.guard import ReconstructionDetector, Reformer

SHAPE = (30, 28, 32)


@pytest.fixture
def brain() -> torch.Tensor:
    """A phantom ``(1, X, Y, Z)`` with slices that hold nothing at both ends of every axis."""
    image, _ = brain_phantom(SHAPE, seed=0)
    return torch.from_numpy(image[None].astype(np.float32))


@pytest.fixture
def detector() -> ReconstructionDetector:
    """Scores an image by the norm of what is not above 0.5; not calibrated."""
    return ReconstructionDetector(nn.Threshold(0.5, 0.0), domain="image").train()


@pytest.fixture
def reformer() -> Reformer:
    """Differs from itself in training, and from the identity everywhere."""
    torch.manual_seed(0)
    return Reformer(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1), nn.Sigmoid())).train()
