import copy

import pytest
import torch
from monai.networks.nets import BasicUNet, UNet
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.networks import WindowedUNet, fold_batch_norm
from monai_advdefense.networks.window import Window
from monai_advdefense.networks.windowed_unet import can_be_windowed
from tests.networks.test_fold_batch_norm import trained

SIDES = (96, 112)
MARGIN = 4
BOXES = {
    "middle": (40, 50, 48, 60),
    "odd edges": (37, 44, 51, 58),
    "one pixel": (61, 62, 33, 34),
    "corner": (0, 7, 0, 9),
    "opposite corner": (90, 96, 100, 112),
    "border": (0, 96, 50, 60),
}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    return fold_batch_norm(
        trained(BasicUNet(spatial_dims=2, out_channels=3, features=(4, 4, 8, 8, 16, 4), norm="batch"))
    )


def object_on(background: torch.Tensor, box: tuple[int, int, int, int]) -> torch.Tensor:
    top, bottom, left, right = box
    image = background.repeat(2, 1, 1, 1)
    image[:, :, top:bottom, left:right] += torch.rand(2, 1, bottom - top, right - left) + 0.1
    return image


@torch.no_grad()
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_output_in_the_window_is_that_of_the_network(
    network: nn.Module, box: tuple[int, int, int, int], layout: torch.memory_format
) -> None:
    network = network.to(memory_format=layout)
    background = torch.rand(1, 1, *SIDES)
    image = object_on(background, box)
    expected, far = network(image), network(background)
    found = WindowedUNet(network, [background], margin=MARGIN)(image)
    inside = Window(*box, *SIDES).grown(MARGIN)
    torch.testing.assert_close(inside.of(found), inside.of(expected), atol=1e-5, rtol=1e-5)
    inside.of(found).copy_(inside.of(far))
    torch.testing.assert_close(found, far.repeat(2, 1, 1, 1), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_a_part_of_the_output_is_that_part_of_the_whole(network: nn.Module, box: tuple[int, int, int, int]) -> None:
    background = torch.rand(1, 1, *SIDES)
    image = object_on(background, box)
    windowed = WindowedUNet(network, [background], margin=MARGIN)
    whole, part = windowed(image), windowed.part(image)
    assert part.window == Window(*box, *SIDES).grown(MARGIN)
    assert torch.equal(part.values, part.window.of(whole))
    frame = part.window.grown(5)
    assert torch.equal(part.within(frame), frame.of(whole))


@torch.no_grad()
@pytest.mark.parametrize(("channel", "value", "expected"), [(0, 9.0, True), (2, 9.0, False), (0, torch.inf, False)])
def test_a_background_is_of_class_0_if_all_of_it_is_and_it_is_finite(network, channel, value, expected) -> None:
    network = copy.deepcopy(network)
    network.final_conv.weight.zero_()
    network.final_conv.bias.zero_()[channel] = value
    backgrounds = [torch.zeros(1, 1, *SIDES), torch.rand(1, 1, *SIDES)]
    assert WindowedUNet(network, backgrounds).backgrounds_are_class_0 is expected


@torch.no_grad()
def test_cropping_alone_would_not_do(network: nn.Module) -> None:
    # What the test above asserts must be able to fail: coarse levels see far beyond the window.
    background = torch.zeros(1, 1, *SIDES)
    image = object_on(background, BOXES["middle"])
    window = Window(32, 64, 32, 80, *SIDES)
    assert (network(window.of(image)) - window.of(network(image))).abs().max() > 1e-3


@torch.no_grad()
def test_the_nearest_background_is_taken(network: nn.Module) -> None:
    backgrounds = [torch.zeros(1, 1, *SIDES), torch.rand(1, 1, *SIDES)]
    windowed = WindowedUNet(network, backgrounds, margin=MARGIN)
    for background in backgrounds:
        found = windowed(object_on(background, BOXES["corner"]))
        torch.testing.assert_close(
            found[:, :, 20:], network(background)[:, :, 20:].repeat(2, 1, 1, 1), atol=1e-5, rtol=0
        )


@torch.no_grad()
@pytest.mark.parametrize("shape", [(2, 1, *SIDES), (1, 1, 64, 64), (1, 1, 50, 70)])
def test_other_images_pass_through_the_whole_network(network: nn.Module, shape: tuple[int, ...]) -> None:
    image = torch.rand(shape) + 0.1
    assert torch.equal(WindowedUNet(network, [torch.zeros(1, 1, *SIDES)])(image), network(image))


@torch.no_grad()
def test_a_blank_slice_and_one_that_is_not_finite(network: nn.Module) -> None:
    background = torch.zeros(1, 1, *SIDES)
    windowed = WindowedUNet(network, [background])
    torch.testing.assert_close(windowed(background), network(background), atol=1e-5, rtol=1e-5)
    image = background.clone()
    image[0, 0, 40, 40] = float("nan")
    assert windowed(image).isnan().any()


def test_only_networks_without_normalization_over_the_image_can_be_windowed(network: nn.Module) -> None:
    assert can_be_windowed(network)
    others = [
        BasicUNet(spatial_dims=2, norm="batch").eval(),
        BasicUNet(spatial_dims=2).eval(),
        BasicUNet(spatial_dims=3, norm="batch").eval(),
        BasicUNet(spatial_dims=2, norm="batch", upsample="nontrainable").eval(),
        UNet(spatial_dims=2, in_channels=1, out_channels=2, channels=(4, 8), strides=(2,), norm="batch").eval(),
    ]
    for other in others:
        assert not can_be_windowed(fold_batch_norm(other)) or other is others[0]
    with pytest.raises(InputError, match="BasicUNet"):
        WindowedUNet(others[1], [torch.zeros(1, 1, *SIDES)])
    with pytest.raises(InputError, match="multiples of 16"):
        WindowedUNet(network, [torch.zeros(1, 1, 96, 100)])
