from __future__ import annotations

import torch
from torch import nn

from monai_advdefense.guard import Reformer
from tests.check_network import check_network


def test_is_the_network_clamped_to_the_image_range():
    torch.manual_seed(0)
    network = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.normal_(network.weight, std=2.0)
    reformer = Reformer(network)
    image = torch.rand(4, 1, 8, 8)
    output = network(image)
    assert output.min() < 0
    assert output.max() > 1
    assert torch.equal(reformer(image), output.clamp(0, 1))
    check_network(reformer, image)


def test_gradient_is_that_of_the_network_inside_the_range_and_zero_outside():
    image = torch.tensor([[[[-0.5, 0.25, 0.75, 1.5]]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(Reformer(nn.Identity())(image).sum(), image)
    assert gradient.flatten().tolist() == [0.0, 1.0, 1.0, 0.0]
