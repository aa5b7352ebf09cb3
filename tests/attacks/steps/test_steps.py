from __future__ import annotations

from functools import partial

import pytest
import torch

from monai_advdefense.attacks.balls import l2, linf
from monai_advdefense.attacks.steps import Here, apgd, l2_step, momentum, sign


def here(point, gradient, loss=None, index=0, n_steps=20):
    return Here(point, torch.zeros(len(point)) if loss is None else loss, gradient, index, n_steps)


IMAGE = torch.full((2, 1, 2, 2), 0.5)
GRADIENT = torch.tensor([[3.0, -4.0], [0.0, 12.0]]).expand(2, 1, 2, 2)


def test_sign_and_l2_steps_take_an_eighth_of_the_way_in_twenty_steps():
    moved, _ = sign(here(IMAGE, GRADIENT), linf(IMAGE, 0.08))
    torch.testing.assert_close(moved - IMAGE, 0.01 * GRADIENT.sign())
    moved, _ = l2_step(here(IMAGE, GRADIENT), l2(IMAGE, 0.8))
    torch.testing.assert_close(moved - IMAGE, 0.1 * GRADIENT / 13)


def test_a_single_step_goes_all_the_way():
    moved, _ = sign(here(IMAGE, GRADIENT, n_steps=1), linf(IMAGE, 0.08))
    torch.testing.assert_close(moved - IMAGE, 0.08 * GRADIENT.sign())


def test_a_step_in_another_norm_than_the_ball_is_long_enough_to_matter():
    moved, _ = l2_step(here(IMAGE, torch.ones_like(IMAGE), n_steps=1), linf(IMAGE, 0.08))
    torch.testing.assert_close(moved - IMAGE, torch.full_like(IMAGE, 0.08))
    moved, _ = sign(here(IMAGE, torch.ones_like(IMAGE), n_steps=1), l2(IMAGE, 0.08))
    torch.testing.assert_close(moved - IMAGE, torch.full_like(IMAGE, 0.04))


def test_momentum_follows_the_sum_of_gradients_over_their_l1_norm():
    ball = linf(IMAGE, 0.08)
    first = torch.tensor([[4.0, 0.0], [0.0, 0.0]]).expand(2, 1, 2, 2)
    second = torch.tensor([[-1.0, 1.0], [0.0, 0.0]]).expand(2, 1, 2, 2)
    _, memory = momentum(here(IMAGE, first), ball)
    moved, memory = momentum(here(IMAGE, second, index=1), ball, memory)
    torch.testing.assert_close(memory[0, 0], torch.tensor([[0.5, 0.5], [0.0, 0.0]]))
    torch.testing.assert_close(moved - IMAGE, 0.01 * torch.tensor([[1.0, 1], [0, 0]]).expand(2, 1, 2, 2))
    moved, _ = momentum(here(IMAGE, second, index=1), ball, None, decay=0.0)
    assert float(moved[0, 0, 0, 0]) < 0.5


@pytest.mark.parametrize("step", [sign, l2_step, momentum, apgd, partial(apgd, norm="l2")])
@pytest.mark.parametrize("around", [linf, l2])
def test_steps_stay_in_the_ball_and_a_zero_gradient_moves_nothing(step, around):
    ball = around(IMAGE, 0.05)
    moved, _ = step(here(IMAGE, torch.zeros_like(IMAGE)), ball)
    assert torch.equal(moved, IMAGE)
    moved, _ = step(here(IMAGE, 1e6 * GRADIENT), ball)
    assert torch.equal(ball.project(moved), moved)
    assert (moved != IMAGE).any()
