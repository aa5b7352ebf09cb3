from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.errors import InputError


def mixed_network() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Sequential(nn.Dropout(), nn.Conv2d(2, 2, 1)))
    network[1].eval()
    network[2].training = False  # a child in train mode below a parent that is not
    network[0].weight.requires_grad_(False)
    return network


def state(network: nn.Module) -> tuple[list[bool], list[bool]]:
    modules, parameters = network.modules(), network.parameters()
    return [module.training for module in modules], [parameter.requires_grad for parameter in parameters]


def test_everything_is_off_inside_and_restored_one_by_one_outside():
    network = mixed_network()
    before = state(network)
    with frozen(network):
        assert not any(flag for flags in state(network) for flag in flags)
    assert state(network) == before


def test_restored_after_an_exception():
    network = mixed_network()
    before = state(network)
    with pytest.raises(KeyError), frozen(network):
        raise KeyError
    assert state(network) == before


def test_input_still_has_a_gradient_and_parameters_have_none():
    network = mixed_network()
    image = torch.rand(2, 1, 4, 4, requires_grad=True)
    with frozen(network):
        network(image).sum().backward()
    assert image.grad is not None
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_network_without_modes_is_refused():
    network = torch.jit.freeze(torch.jit.script(nn.Conv2d(1, 2, 1).eval()))
    with pytest.raises(InputError, match="network.+before torch.jit.freeze"), frozen(network):
        pass
