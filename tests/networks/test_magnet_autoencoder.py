from __future__ import annotations

import pytest
import torch
import torch.nn.functional as functional

from monai_advdefense.errors import InputError
from monai_advdefense.networks import MagNetAutoencoder
from tests.check_network import check_network


@pytest.mark.parametrize("variant", [1, 2])
@pytest.mark.parametrize(("spatial_dims", "sides"), [(2, (8, 6)), (3, (4, 6, 4))])
def test_keeps_size_and_is_a_sound_network(variant, spatial_dims, sides):
    torch.manual_seed(0)
    network = MagNetAutoencoder(spatial_dims, in_channels=2, out_channels=3, variant=variant)
    image = torch.rand(2, 2, *sides)
    output = network(image)
    assert output.shape == (2, 3, *sides)
    assert ((output > 0) & (output < 1)).all()
    check_network(network, image)


@pytest.mark.parametrize("variant", [1, 2])
def test_equals_the_described_sequence(variant):
    torch.manual_seed(0)
    network = MagNetAutoencoder(2, in_channels=1, out_channels=1, variant=variant)
    values = list(network.state_dict().values())
    weights = iter(zip(values[::2], values[1::2], strict=True))
    image = torch.rand(2, 1, 8, 6)

    def convolve(x):
        weight, bias = next(weights)
        assert weight.shape[2:] == (3, 3)
        return torch.sigmoid(functional.conv2d(x, weight, bias, padding="same"))

    x = convolve(image)
    if variant == 1:
        assert x.shape[1] == 3
        x = convolve(convolve(functional.avg_pool2d(x, 2)))
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    x = convolve(convolve(x))
    assert next(weights, None) is None
    torch.testing.assert_close(network(image), x)


def test_odd_side_is_an_error_where_the_network_pools():
    image = torch.rand(1, 1, 7, 8)
    with pytest.raises(InputError, match="multiples of 2, found a side of 7"):
        MagNetAutoencoder(2, in_channels=1, out_channels=1, variant=1)(image)
    assert MagNetAutoencoder(2, in_channels=1, out_channels=1, variant=2)(image).shape == image.shape


@pytest.mark.parametrize("variant", [0, 3, "I"])
def test_unknown_variant_is_an_error(variant):
    with pytest.raises(InputError, match="variant: expected 1 or 2"):
        MagNetAutoencoder(2, in_channels=1, out_channels=1, variant=variant)
