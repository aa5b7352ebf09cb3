from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector
from monai_advdefense.robustness.guarded import check_guard, subject_of
from monai_advdefense.robustness.unit_range import UnitRange


class Zero(nn.Module):
    """As a detector's network on the image: the score is the norm of the image."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.zeros_like(image)


class Half(nn.Module):
    """A reformer that makes images darker."""

    def forward(self, image: Tensor) -> Tensor:
        return image / 2


class Threshold(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([10 - image, image - 10], 1)


@pytest.fixture
def guard():
    detector = ReconstructionDetector(Zero(), domain="image")
    detector.threshold.fill_(30.0)
    return DefendedSegmenter(detector, Half(), Threshold()).eval()


IMAGE = torch.tensor([[[[0.0, 20.0], [20.0, 0.0]]], [[[20.0, 20.0], [20.0, 20.0]]]])


def test_the_segmenter_alone_and_what_is_behind_the_reformer_are_told_apart(guard):
    units = UnitRange.of(guard, IMAGE)
    subject = subject_of(units)
    unit = units.to_unit(IMAGE)
    assert torch.equal(subject.network(unit), Threshold()(IMAGE))
    assert torch.equal(subject.guarded.network(unit), Threshold()(IMAGE / 2))


def test_excess_and_decision_are_of_the_image_in_its_own_units(guard):
    guarded = subject_of(UnitRange.of(guard, IMAGE)).guarded
    unit = IMAGE / 20
    torch.testing.assert_close(guarded.excess(unit), IMAGE.flatten(1).norm(dim=1) - 30)
    assert guarded.accepted(unit).tolist() == [True, False]
    assert guarded.excess(unit.requires_grad_()).requires_grad


def test_without_a_guard_there_is_the_network_alone():
    units = UnitRange.of(Threshold(), IMAGE)
    assert subject_of(units).network is units
    assert subject_of(units).guarded is None


def test_a_guard_inside_of_a_network_or_before_a_sigmoid_is_named(guard):
    check_guard(guard, "softmax")
    check_guard(Threshold(), "sigmoid")
    with pytest.raises(InputError, match="network: expected a torch.nn.Module, found a function"):
        check_guard(lambda image: image, "softmax")
    with pytest.raises(InputError, match="network: expected a guard as the whole network, found one in a Sequential"):
        check_guard(nn.Sequential(guard), "softmax")
    with pytest.raises(InputError, match="activation: expected softmax for a network with a guard, found sigmoid"):
        check_guard(guard, "sigmoid")
