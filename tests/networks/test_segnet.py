from __future__ import annotations

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.networks import SegNet
from monai_advdefense.networks.segnet import max_unpool
from tests.check_network import check_network


@pytest.mark.parametrize("spatial_dims", [1, 2, 3])
def test_unpooling_puts_values_back_where_they_were_largest(spatial_dims):
    image = torch.randn(2, 3, *(4, 6, 2)[:spatial_dims])
    pool = getattr(functional, f"max_pool{spatial_dims}d")
    pooled, indices = pool(image, 2, return_indices=True)
    largest = pooled
    for axis in range(2, 2 + spatial_dims):
        largest = largest.repeat_interleave(2, dim=axis)
    assert torch.equal(max_unpool(pooled, indices), torch.where(image == largest, image, 0.0))


@pytest.mark.parametrize(("spatial_dims", "sides"), [(2, (64, 32)), (3, (32, 32, 32))])
def test_keeps_size_and_is_a_sound_network(spatial_dims, sides):
    torch.manual_seed(0)
    network = SegNet(spatial_dims, in_channels=2, out_channels=5, features=(4, 4, 6, 8, 8))
    image = torch.rand(2, 2, *sides)
    assert network(image).shape == (2, 5, *sides)
    check_network(network, image)


def test_encoder_is_the_one_of_vgg16():
    with torch.device("meta"):
        network = SegNet(2, in_channels=3, out_channels=11)
    weights = [module.weight for module in network.encoder.modules() if isinstance(module, nn.Conv2d)]
    # The 13 convolutions of VGG16, without their biases, which batch normalisation replaces.
    assert len(weights) == 13
    assert sum(weight.numel() for weight in weights) == 14_710_464
    decoder = [m for part in (network.decoder, network.classifier) for m in part.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.in_channels, m.out_channels) for m in decoder[:-1]] == [tuple(w.shape[:2]) for w in weights[:0:-1]]
    assert (decoder[-1].in_channels, decoder[-1].out_channels) == (64, 11)


def test_learns_a_simple_task_in_a_few_steps():
    torch.manual_seed(0)
    image = functional.interpolate(torch.rand(4, 1, 8, 8), scale_factor=4, mode="bilinear")
    label = (image[:, 0] > 0.5).long()
    network = SegNet(2, in_channels=1, out_channels=2, features=(8, 8, 8, 8, 8))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss = functional.cross_entropy(network(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_side_that_is_no_multiple_of_32_is_an_error():
    network = SegNet(2, in_channels=1, out_channels=2, features=(2, 2, 2, 2, 2))
    with pytest.raises(InputError, match="multiples of 32, found a side of 48"):
        network(torch.rand(1, 1, 32, 48))
    with pytest.raises(torch.jit.Error, match="multiples of 32, found a side of 48"):
        torch.jit.script(network)(torch.rand(1, 1, 48, 32))


def test_wrong_number_of_features_is_an_error():
    with pytest.raises(InputError, match="five"):
        SegNet(2, in_channels=1, out_channels=2, features=(4, 8))
