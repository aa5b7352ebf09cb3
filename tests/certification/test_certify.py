import copy

import pytest
import torch
from torch import nn

from monai_advdefense.certification import certify
from monai_advdefense.errors import InputError


@pytest.fixture
def linear():
    """Two classes, each pixel decided by a linear function of its neighbourhood, logit of class 1 minus that of 0."""
    torch.manual_seed(0)
    network = nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")
    with torch.no_grad():
        network.weight[0], network.bias[0] = 0.0, 0.0
        network.bias[1] = -network.weight[1].sum() * 0.5
    return network.eval()


def _margin(network, image):
    """Distance of each pixel ``(B, H, W)`` to the boundary between both classes, in closed form."""
    return (network(image)[:, 1] / network.weight[1].norm()).abs().detach()


def test_radii_of_a_linear_classifier_are_at_most_its_distance_to_the_boundary(linear):
    image = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    found = certify(linear, image, sigma=0.25, n=2000, alpha=0.001)
    margin = _margin(linear, image)
    assert (found.radius <= margin + 1e-6).all()
    certain = found.radius > 0
    assert certain.float().mean() > 0.5
    assert torch.equal(found.label[certain], linear(image).argmax(1)[certain])
    # Near what can be proved at all: most of the way, where the largest radius is not the limit.
    judged = certain & (margin < 0.3)
    assert (found.radius[judged] / margin[judged]).median() > 0.6


def test_no_perturbation_within_the_radius_flips_a_certified_pixel(linear):
    # The smoothed classifier of a linear one is itself linear: whether a pixel flips is known without sampling.
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    found = certify(linear, image, sigma=0.25, n=1000)
    certain, smallest = found.radius > 0, found.radius[found.radius > 0].min()
    directions = torch.randn(10_000, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    moved = image + smallest * directions / directions.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    flipped = linear(moved).argmax(1) != found.label
    assert not (flipped & certain).any()
    # The worst direction of each pixel too, at its own radius.
    kernel = linear.weight[1, 0].detach() / linear.weight[1].detach().norm()
    for row, column in certain[0].nonzero().tolist():
        worst = torch.zeros(8, 8)
        for i in range(3):
            for j in range(3):
                worst[(row + i - 1) % 8, (column + j - 1) % 8] = kernel[i, j]
        sign = -1 if found.label[0, row, column] else 1
        attacked = image + sign * found.radius[0, row, column] * worst
        assert linear(attacked).argmax(1)[0, row, column] == found.label[0, row, column]


def test_outside_of_the_mask_is_background_for_good(linear):
    image = torch.rand(1, 1, 8, 8)
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., 2:6, 2:6] = True
    found = certify(linear, image, sigma=0.25, n=50, mask=mask)
    assert (found.label[~mask[:, 0]] == 0).all()
    assert found.radius[~mask[:, 0]].isinf().all()
    assert found.radius[mask[:, 0]].isfinite().all()


def test_of_several_channels_one_may_be_the_attacked_one():
    network = nn.Conv2d(2, 2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[[[0.0]], [[0.0]]], [[[0.0]], [[1.0]]]]))
        network.bias.copy_(torch.tensor([0.0, -0.5]))
    image, mask = torch.full((1, 2, 4, 4), 0.9), torch.zeros(1, 2, 4, 4)
    mask[:, 1, :2] = 1
    found = certify(network, image, sigma=0.25, n=200, mask=mask)
    assert (found.label[0, :2] == 1).all()
    assert found.radius[0, :2].isfinite().all()
    assert (found.radius[0, :2] <= 0.4).all()
    assert found.radius[0, 2:].isinf().all()


def test_an_empty_mask_certifies_background_everywhere(linear):
    image = torch.rand(1, 1, 8, 8)
    found = certify(linear, image, sigma=0.25, n=20, mask=torch.zeros_like(image))
    assert not found.label.any()
    assert found.radius.isinf().all()


def test_the_network_stays_as_it_was_and_the_answer_is_repeatable():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.Dropout()).train()
    before = copy.deepcopy(network.state_dict())
    image = torch.rand(1, 1, 4, 4)
    first, second = (certify(network, image, sigma=0.25, n=40, batch_size=size) for size in (8, 40))
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert first.label.shape == first.radius.shape == (1, 4, 4)
    assert torch.equal(first.label, second.label)


@pytest.mark.parametrize(
    "wrong", [{"sigma": 0.0}, {"sigma": 0.25, "n": 0}, {"sigma": 0.25, "alpha": 1.0}, {"sigma": 0.25, "n": 3}]
)
def test_settings_that_prove_nothing_are_refused(linear, wrong):
    with pytest.raises(InputError, match="expected"):
        certify(linear, torch.rand(1, 1, 4, 4), **wrong)
