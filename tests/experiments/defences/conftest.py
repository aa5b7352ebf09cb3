from __future__ import annotations

import pytest
import torch
from torch import nn


@pytest.fixture
def network():
    """Class 1 above 0.5."""
    network = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([-9.0, 9.0]).view(2, 1, 1, 1))
        network.bias.copy_(torch.tensor([4.5, -4.5]))
    return network
