from __future__ import annotations

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.networks import FCDenseNet
from tests.check_network import check_network

FC_DENSENET_56 = {"down_blocks": (4,) * 5, "bottleneck_layers": 4, "growth_rate": 12}
FC_DENSENET_67 = {"down_blocks": (5,) * 5, "bottleneck_layers": 5, "growth_rate": 16}
FC_DENSENET_103 = {"down_blocks": (4, 5, 7, 10, 12), "bottleneck_layers": 15, "growth_rate": 16}
SMALL = {"down_blocks": (1, 2), "bottleneck_layers": 2, "growth_rate": 4, "init_features": 6}


@pytest.mark.parametrize(
    ("arguments", "layers", "millions", "tolerance"),
    [
        # The paper states 1.5 M; its own description of the network gives 1.4 M.
        (FC_DENSENET_56, 56, 1.5, 0.11),
        (FC_DENSENET_67, 67, 3.5, 0.05),
        (FC_DENSENET_103, 103, 9.4, 0.05),
    ],
)
def test_layers_and_parameters_of_the_paper(arguments, layers, millions, tolerance):
    with torch.device("meta"):
        network = FCDenseNet(2, in_channels=3, out_channels=11, **arguments)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) == layers
    # The paper counts as its framework does, running mean and variance included.
    count = sum(value.numel() for value in network.state_dict().values() if value.dim() > 0)
    assert count / 1e6 == pytest.approx(millions, abs=tolerance)


def test_channels_of_fc_densenet_103():
    with torch.device("meta"):
        network = FCDenseNet(2, in_channels=3, out_channels=11, **FC_DENSENET_103)
    # Table 2 of the paper: maps after each dense block and its concatenation, and before the last convolution.
    assert [down[2].in_channels for down in network.downs] == [112, 192, 304, 464, 656]
    assert [up.in_channels for up in network.ups] == [15 * 16, 12 * 16, 10 * 16, 7 * 16, 5 * 16]
    assert network.classifier.in_channels == 256


@pytest.mark.parametrize(("spatial_dims", "sides"), [(2, (12, 8)), (3, (4, 8, 4))])
def test_keeps_size_and_is_a_sound_network(spatial_dims, sides):
    torch.manual_seed(0)
    network = FCDenseNet(spatial_dims, in_channels=2, out_channels=5, **SMALL)
    image = torch.rand(2, 2, *sides)
    assert network(image).shape == (2, 5, *sides)
    check_network(network, image)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    network = FCDenseNet(2, in_channels=1, out_channels=2, dropout=0.5, **SMALL)
    image = torch.rand(2, 1, 8, 8)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))
    without = FCDenseNet(2, in_channels=1, out_channels=2, dropout=0.0, **SMALL)
    assert torch.equal(without(image), without(image))


def test_learns_a_simple_task_in_a_few_steps():
    torch.manual_seed(0)
    image = functional.interpolate(torch.rand(4, 1, 4, 4), scale_factor=4, mode="bilinear")
    label = (image[:, 0] > 0.5).long()
    network = FCDenseNet(2, in_channels=1, out_channels=2, **SMALL)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss = functional.cross_entropy(network(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_side_that_cannot_be_halved_often_enough_is_an_error():
    network = FCDenseNet(2, in_channels=1, out_channels=2, **SMALL)
    with pytest.raises(InputError, match="multiples of 4, found a side of 6"):
        network(torch.rand(1, 1, 8, 6))
    with pytest.raises(torch.jit.Error, match="multiples of 4, found a side of 6"):
        torch.jit.script(network)(torch.rand(1, 1, 6, 8))


def test_no_down_block_is_an_error():
    with pytest.raises(InputError, match="down_blocks"):
        FCDenseNet(2, in_channels=1, out_channels=2, down_blocks=())
