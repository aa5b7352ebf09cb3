from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.robustness.unit_range import UnitRange


def test_channels_are_scaled_by_their_own_range_and_back():
    image = torch.stack([torch.linspace(-1000, 1500, 12), torch.linspace(-2, 3, 12)]).view(1, 2, 3, 4)
    units = UnitRange.of(nn.Identity(), image)
    unit = units.to_unit(image)
    assert unit.amin((2, 3)).tolist() == [[0, 0]]
    assert unit.amax((2, 3)).tolist() == [[1, 1]]
    torch.testing.assert_close(units.to_own(unit), image)
    torch.testing.assert_close(units(unit), image)


def test_a_given_range_clips_and_an_image_of_one_value_stays_finite():
    units = UnitRange.of(nn.Identity(), torch.zeros(1, 1, 4), value_range=(-10, 10))
    assert units.to_unit(torch.tensor([[[-20.0, -10, 0, 30]]])).tolist() == [[[0, 0, 0.5, 1]]]
    flat = UnitRange.of(nn.Identity(), torch.full((1, 1, 4), 7.0))
    assert flat.to_own(flat.to_unit(torch.full((1, 1, 4), 7.0))).tolist() == [[[7, 7, 7, 7]]]


def test_gradients_are_in_units_of_the_range():
    units = UnitRange.of(nn.Identity(), torch.tensor([[[-10.0, 30.0]]]))
    image = torch.tensor([[[0.0, 0.5]]], requires_grad=True)
    units(image).sum().backward()
    assert image.grad.tolist() == [[[40, 40]]]


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (lambda image: {"seg": image}, "dict"),
        (lambda image: image[..., :2], r"\(1, 1, 2\)"),
        (lambda image: image.expand(2, -1, -1), r"\(2, 1, 4\)"),
    ],
)
def test_outputs_that_are_no_logits_are_named(output, found):
    class Network(nn.Module):
        def forward(self, image):
            return output(image)

    units = UnitRange.of(Network(), torch.rand(1, 1, 4))
    with pytest.raises(InputError, match=f"network: expected logits .*, found {found}: give logits_of"):
        units(torch.rand(1, 1, 4))
    picked = UnitRange.of(Network(), torch.rand(1, 1, 4), logits_of=lambda _: torch.zeros(1, 2, 4))
    assert picked(torch.rand(1, 1, 4)).shape == (1, 2, 4)


def test_images_that_do_not_fit_the_network_are_named():
    units = UnitRange.of(nn.Conv1d(2, 3, 1), torch.rand(1, 1, 4))
    with pytest.raises(InputError, match=r"network: expected one that takes images of shape \(1, 1, 4\)"):
        units(torch.rand(1, 1, 4))
