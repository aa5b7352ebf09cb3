from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.networks.pointwise import as_pointwise, is_pointwise

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@pytest.mark.parametrize("spatial_dims", CONVOLUTIONS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
def test_output_and_gradient_are_those_of_the_convolution(spatial_dims, bias, channels_last):
    convolution = CONVOLUTIONS[spatial_dims](3, 5, 1, bias=bias).double()
    image = torch.rand(2, 3, *range(4, 4 + spatial_dims), dtype=torch.float64)
    if channels_last:
        image = image.movedim(1, -1).contiguous().movedim(-1, 1)
    image.requires_grad_()
    results = [module(image) for module in (as_pointwise(convolution), convolution)]
    torch.testing.assert_close(*results)
    assert results[0].is_contiguous()
    weights = torch.rand_like(results[0])
    torch.testing.assert_close(*[torch.autograd.grad(each, image, weights)[0] for each in results])


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Conv2d(2, 3, 1), True),
        (nn.Conv3d(2, 3, 1, padding="valid"), True),
        (nn.Conv2d(2, 3, 1, padding="same"), True),
        (nn.Conv2d(2, 3, 3), False),
        (nn.Conv2d(2, 3, (1, 3)), False),
        (nn.Conv2d(2, 3, 1, stride=2), False),
        (nn.Conv2d(2, 3, 1, padding=1), False),
        (nn.Conv2d(2, 4, 1, groups=2), False),
        (nn.ConvTranspose2d(2, 3, 1), False),
        (nn.Linear(2, 3), False),
    ],
)
def test_only_plain_convolutions_of_single_voxels_are_pointwise(module, expected):
    assert is_pointwise(module) == expected


def test_a_convolution_with_a_hook_is_left_alone():
    convolution = nn.Conv2d(2, 3, 1)
    convolution.register_forward_hook(lambda *_: None)
    assert not is_pointwise(convolution)


@pytest.mark.parametrize("spatial_dims", CONVOLUTIONS)
def test_an_image_without_a_batch_gives_what_the_convolution_gives(spatial_dims):
    convolution = CONVOLUTIONS[spatial_dims](3, 5, 1)
    image = torch.rand(3, *range(4, 4 + spatial_dims))
    # As many slices as channels: taken for a batch, it would fit as well.
    for one in (image, torch.rand(3, 3, *range(4, 3 + spatial_dims))):
        torch.testing.assert_close(as_pointwise(convolution)(one), convolution(one))


@pytest.mark.parametrize("shape", [(4, 5), (2, 1, 4, 5), (1, 2, 3, 4, 5)])
def test_what_does_not_fit_is_refused_as_the_convolution_refuses_it(shape):
    convolution, image = nn.Conv2d(3, 5, 1), torch.rand(shape)
    with pytest.raises(RuntimeError) as expected:
        convolution(image)
    with pytest.raises(RuntimeError) as found:
        as_pointwise(convolution)(image)
    assert str(found.value) == str(expected.value)
