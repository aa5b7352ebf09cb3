from __future__ import annotations

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from monai_advdefense.attacks import ladder, square
from monai_advdefense.errors import InputError


class Counted(nn.Module):
    """A network without gradients that counts the images it is asked about."""

    def __init__(self, spatial_dims=2):
        super().__init__()
        torch.manual_seed(0)
        self.net = UNet(spatial_dims, 1, 4, (4, 8), (2,)).eval()
        self.images = 0

    def forward(self, image):
        self.images += len(image)
        with torch.no_grad():
            return self.net(image)


def case(net, batch=3, spatial=(12, 12)):
    image = torch.rand(batch, 1, *spatial, generator=torch.Generator().manual_seed(0))
    return image, net.net(image).argmax(1)


@pytest.mark.parametrize("spatial", [(12, 12), (8, 6, 8)])
def test_without_gradients_within_ball_bounds_and_queries(spatial):
    net = Counted(len(spatial))
    image, label = case(net, spatial=spatial)
    found = square(net, image, label, budget=0.1, n_queries=60)
    assert ((found.image - image).abs() <= 0.1).all()
    assert found.image.min() >= 0
    assert found.image.max() <= 1
    assert net.images <= 3 * 61
    assert (found.iterations <= 60).all()
    after = net(found.image).argmax(1)
    lost = ((after != label) & (label > 0)).flatten(1).sum(1) / (label > 0).flatten(1).sum(1)
    torch.testing.assert_close(found.flipped, lost, atol=1e-6, rtol=0)
    assert found.flipped.mean() > 0.1


def test_more_queries_lose_no_less_and_images_do_not_depend_on_each_other():
    net = Counted()
    image, label = case(net)
    flipped = [
        square(net, image, label, budget=0.1, n_queries=n, generator=torch.Generator().manual_seed(1)) for n in (1, 80)
    ]
    assert (flipped[1].flipped >= flipped[0].flipped).all()
    assert flipped[1].flipped.mean() > flipped[0].flipped.mean()
    generator = torch.Generator().manual_seed(1)
    in_turn = [
        square(net, image[i : i + 1], label[i : i + 1], budget=0.1, n_queries=80, generator=generator).image
        for i in range(3)
    ]
    torch.testing.assert_close(torch.cat(in_turn), flipped[1].image)


def test_queries_end_where_nothing_is_left():
    image = torch.full((2, 2, 3, 3), 0.5)
    image[:, 0] += 0.01
    image[1, 0, 0, 0] = 1.0
    found = square(nn.Identity(), image, torch.zeros(2, 3, 3, dtype=torch.long), budget=0.1, include_background=True)
    assert found.success.tolist() == [True, False]
    assert found.iterations[0] < 500
    assert found.iterations[1] == 500


def test_mask_and_warm_start_hold():
    net = Counted()
    image, label = case(net)
    mask = torch.zeros(1, 1, 12, 12)
    mask[..., 4:] = 1
    curve = ladder(net, image, label, attack=square, budgets=[0.05, 0.1], n_queries=30, mask=mask)
    assert torch.equal(curve[1].image[..., :4], image[..., :4])
    assert (curve[1].flipped >= curve[0].flipped).all()


def test_what_does_not_fit_is_named():
    net = Counted()
    image, label = case(net)
    with pytest.raises(InputError, match="start: expected parameters of shape"):
        square(net, image, label, budget=0.1, start=image[:1])
    with pytest.raises(InputError, match="n_queries: expected at least 1"):
        square(net, image, label, budget=0.1, n_queries=0)
