from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from monai_advdefense.attacks.damage import damage
from monai_advdefense.attacks.task import Outputs, Task
from monai_advdefense.errors import InputError

LOGITS = torch.tensor([[[2.0, 0, 1, 3], [1, 0, 1, -1], [0, 1, 0, 1]]], dtype=torch.float64)  # (1, 3, 4)


def task(network: nn.Module, targets: Tensor) -> Task:
    return Task(network, Outputs(), targets.clamp_min(0), targets)


def test_loss_gradient_by_the_logits_is_softmax_less_one_hot():
    targets = torch.tensor([[0, 2, -100, 1]])
    flipped, gradient = damage(task(nn.Identity(), targets), LOGITS, differentiate=True)
    logits = LOGITS.numpy()[0]
    expected = np.exp(logits) / np.exp(logits).sum(0)
    for pixel, target in enumerate([0, 2, None, 1]):
        if target is None:
            expected[:, pixel] = 0
        else:
            expected[target, pixel] -= 1
    assert np.allclose(gradient.numpy()[0], expected, rtol=1e-12)
    assert flipped.tolist() == [1]


def test_tie_counts_as_predicted_and_pixels_that_are_not_targeted_do_not_count():
    for targets, expected in [([0, 2, 0, 0], 0), ([0, 2, 1, 0], 0), ([1, 1, 2, 2], 4), ([1, -100, -100, 2], 2)]:
        flipped, gradient = damage(task(nn.Identity(), torch.tensor([targets])), LOGITS, differentiate=False)
        assert flipped.tolist() == [expected]
        assert not gradient.any()


class Root(nn.Module):
    """Logits whose derivative is infinite where the image is 0."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image.sqrt(), -image], 1)


class Blind(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image, -image], 1).detach()


class Pair(nn.Module):
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return image, image


class Broken(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image, image * torch.nan], 1)


@pytest.mark.parametrize("network", [Root(), Blind(), Pair(), Broken(), nn.Flatten(), nn.AvgPool1d(2)])
def test_network_without_usable_logits_or_gradients_is_named(network):
    with pytest.raises(InputError, match="network") as raised:
        damage(task(network, torch.zeros(1, 4, dtype=torch.int64)), torch.zeros(1, 1, 4), differentiate=True)
    assert "\n" not in str(raised.value)


def test_class_that_the_network_does_not_know_is_named():
    with pytest.raises(InputError, match="label: expected classes below 3"):
        damage(task(nn.Identity(), torch.tensor([[0, 1, 2, 3]])), LOGITS, differentiate=False)
