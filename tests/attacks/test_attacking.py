from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from monai_advdefense.attacks.attacking import attacking, without_mixing


def _network(**statistics):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4, **statistics), nn.ReLU(), nn.Conv2d(4, 3, 1))


IMAGE = torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "around", [torch.no_grad, torch.inference_mode, partial(torch.autocast, "cpu", torch.bfloat16)]
)
def test_callers_may_have_gradients_off_or_autocast_on(around):
    network = _network()
    with around(), attacking(network, IMAGE) as forward:
        image = IMAGE.clone().requires_grad_()
        logits = forward(image)
        assert logits.dtype == torch.float32
        (gradient,) = torch.autograd.grad(logits.square().sum(), image)
        assert not network.training
    assert gradient.abs().amin() > 0
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


class Nested(nn.Module):
    """Outputs in a dictionary and a list, as networks with deep supervision give them."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        logits = self.network(image)
        return {"out": logits, "deep": [logits[:, :, ::2], (logits[:, :, ::4],)]}


@pytest.mark.parametrize("prepare", [lambda network: network, torch.jit.script], ids=["eager", "scripted"])
def test_statistics_of_the_batch_do_not_mix_images(prepare):
    network = prepare(_network(track_running_stats=False))
    alone = torch.cat([network(one) for one in IMAGE.split(1)])
    assert not torch.allclose(network(IMAGE), alone)
    assert torch.equal(without_mixing(network)(IMAGE), alone)


def test_nested_outputs_of_images_are_joined():
    network = Nested(_network(track_running_stats=False))
    found = without_mixing(network)(IMAGE)
    each = [network(one) for one in IMAGE.split(1)]
    assert torch.equal(found["out"], torch.cat([one["out"] for one in each]))
    assert torch.equal(found["deep"][0], torch.cat([one["deep"][0] for one in each]))
    assert torch.equal(found["deep"][1][0], torch.cat([one["deep"][1][0] for one in each]))


def test_a_network_that_does_not_mix_images_sees_them_at_once():
    network = _network()
    assert without_mixing(network) is network
