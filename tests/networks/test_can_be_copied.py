from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from monai_advdefense.networks import can_be_copied


def test_what_torch_refuses_to_copy_is_told_from_what_it_copies():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert can_be_copied(network)
    assert not can_be_copied(torch.jit.script(network.eval()))
    prune.l1_unstructured(network[0], "weight", amount=0.5)
    assert not can_be_copied(network)
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(network)
