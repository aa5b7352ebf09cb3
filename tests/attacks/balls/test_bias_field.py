from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks.balls import bias_field
from monai_advdefense.errors import InputError
from tests.attacks.balls.drawn import images, seeded


def test_it_is_one_smooth_factor_for_all_channels():
    image = 0.2 + 0.6 * images(32, 32)
    ball = bias_field(image, 0.2, bounds=(0.0, 1.0))
    factor = ball.image(ball.random_points(seeded(), 1)[0]) / image
    torch.testing.assert_close(factor[:, 0], factor[:, 1])
    assert factor.diff(dim=-1).abs().max() < 0.05


def test_the_slowest_cosine_alone_scales_the_height_above_the_lowest_value_and_the_brightest_by_the_budget():
    image = images(6, 6, low=-2.0, high=3.0).double()
    ball = bias_field(image, 0.25)
    weights = ball.start()
    weights[:, :, 0, 0] = 100
    change = (ball.image(ball.project(weights)) - image).flatten(1)
    height = (image - image.amin((1, 2, 3), keepdim=True)).flatten(1)
    torch.testing.assert_close(change, 0.25 * height / height.amax(1, keepdim=True))


def test_an_order_of_none_is_named():
    with pytest.raises(InputError, match="orders: expected at least 1, found 0"):
        bias_field(images(4), 0.1, orders=0)
