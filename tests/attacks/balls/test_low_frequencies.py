from __future__ import annotations

import pytest
import torch
from scipy.fft import dctn

from monai_advdefense.attacks.balls import low_frequencies
from monai_advdefense.errors import InputError
from tests.attacks.balls.drawn import images, seeded


def test_l2_budget_is_kept():
    image = images(16, 16)
    ball = low_frequencies(image, 2.0, norm="l2")
    weights = ball.project(100 * torch.randn(ball.start().shape, generator=seeded()))
    # Of the weights themselves, so that the image needs no projection of its own.
    for found in (ball.made(weights), ball.image(weights)):
        norm = torch.linalg.vector_norm((found - image).flatten(1), dim=1)
        torch.testing.assert_close(norm, torch.full((3,), 2.0), rtol=1e-4, atol=0)


def test_the_change_holds_the_slowest_cosines_and_no_others():
    image = images(16, 9).double()
    ball = low_frequencies(image, 0.1, orders=4)
    change = ball.image(ball.random_points(seeded(), 1)[0]) - image
    weights = torch.from_numpy(dctn(change.numpy(), type=2, norm="ortho", axes=(2, 3))).abs()
    assert weights[..., :4, :4].amin() > 0
    weights[..., :4, :4] = 0
    assert weights.amax() < 1e-12


def test_an_order_of_none_is_named():
    with pytest.raises(InputError, match="orders: expected at least 1, found 0"):
        low_frequencies(images(4), 0.1, orders=0)
