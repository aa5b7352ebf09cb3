from __future__ import annotations

import pytest
import torch
from monai.networks.nets import BasicUNet, UNet

from monai_advdefense.attacks import accelerated
from monai_advdefense.networks.decoded_in_box import can_decode_in_box, decoded_in_box

FEATURES = (4, 4, 4, 8, 8, 4)
BOXES = {
    "middle": (slice(19, 26), slice(40, 43)),
    "corner": (slice(0, 3), slice(61, 64)),
    "pixel": (slice(47, 48), slice(16, 17)),
    "whole": (slice(0, 48), slice(0, 64)),
}


def fast(dims: int = 2, **options):
    torch.manual_seed(0)
    network = BasicUNet(dims, 1, 3, features=FEATURES, **{"norm": "batch", **options})
    network(torch.rand(2, 1, *[32] * dims))  # statistics other than those of the start
    return accelerated(network).double()


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_output_and_gradient_are_those_of_the_network(box, layout):
    network = fast().to(memory_format=layout)
    image = torch.rand(2, 1, 48, 64, dtype=torch.float64, requires_grad=True)
    assert can_decode_in_box(network, image)
    found, expected = decoded_in_box(network, image, box), network(image)[(..., *box)]
    weights = torch.rand_like(expected)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*[torch.autograd.grad(each, image, weights)[0] for each in (found, expected)])


@pytest.mark.parametrize("box", [(slice(3, 9), slice(0, 5), slice(17, 32)), (slice(31, 32),) * 3])
def test_volumes_as_well(box):
    network, image = fast(3), torch.rand(1, 1, 32, 32, 32, dtype=torch.float64)
    assert can_decode_in_box(network, image)
    torch.testing.assert_close(decoded_in_box(network, image, box), network(image)[(..., *box)])


@pytest.mark.parametrize(
    "network",
    [
        fast(norm="instance"),
        fast(norm=("group", {"num_groups": 2})),
        fast(upsample="nontrainable"),
        fast(upsample="pixelshuffle"),
        BasicUNet(2, 1, 3, features=FEATURES, norm="batch").eval(),
        UNet(2, 1, 3, (4, 8), (2,)).eval(),
    ],
    ids=["instance", "group", "nontrainable", "pixelshuffle", "plain", "another"],
)
def test_networks_that_see_further_or_are_not_fast_are_refused(network):
    assert not can_decode_in_box(network, torch.rand(1, 1, 32, 32))


def test_sides_that_are_padded_are_refused():
    assert not can_decode_in_box(fast(), torch.rand(1, 1, 32, 40))


@pytest.mark.parametrize("part", ["", "down_1", "upcat_2", "upcat_1.second.adn", "final_conv"])
def test_hooks_see_the_whole_image(part):
    network = fast()
    assert can_decode_in_box(network, torch.rand(1, 1, 32, 32))
    network.get_submodule(part).register_forward_hook(print)
    assert not can_decode_in_box(network, torch.rand(1, 1, 32, 32))
