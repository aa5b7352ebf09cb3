from __future__ import annotations

from functools import partial

import pytest
import torch

from monai_advdefense.attacks.balls import l2, linf
from monai_advdefense.attacks.steps import Here, apgd, l2_step, momentum, sign
from monai_advdefense.attacks.steps.apgd import checkpoints


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


def test_checkpoints_are_those_of_the_paper():
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(20) == [5, 9, 12, 14, 16, 18, 19, 20]


def walk(ball, loss_of, n_steps, norm="linf"):
    """All points and step sizes of Auto-PGD on a loss with a known gradient."""
    point, memory, points, sizes = ball.start(), None, [], []
    for index in range(n_steps):
        leaf = point.clone().requires_grad_()
        loss = loss_of(leaf)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        points.append(point)
        point, memory = apgd(Here(point, loss.detach(), gradient, index, n_steps), ball, memory, norm=norm)
        sizes.append(memory.size.flatten())
    return torch.stack([*points, point]), torch.stack(sizes)


def test_apgd_equals_a_plain_loop_over_algorithm_1():
    """One image at a time, with Python numbers for the decisions."""
    peak = torch.tensor([[[[0.53, 0.41], [0.55, 0.62]]], [[[0.9, 0.52], [0.47, 0.505]]]])
    ball = linf(IMAGE, 0.08)

    def loss_of(image):
        return -((image - peak) ** 2).flatten(1).sum(1)

    together, sizes = walk(ball, loss_of, 20)
    for sample in range(2):
        alone = linf(IMAGE[sample : sample + 1], 0.08)
        point = before = best = alone.start()
        size, rises, halved, last_best, judged_at = 0.16, 0, True, None, 0
        best_loss = previous = None
        for index in range(20):
            loss = float(-((point - peak[sample]) ** 2).sum())
            gradient = -2 * (point - peak[sample])
            if index == 0:
                best_loss = last_best = loss
                best, best_gradient = point, gradient
            else:
                rises += loss > previous
                if loss > best_loss:
                    best_loss, best, best_gradient = loss, point, gradient
            previous = loss
            if index and index in checkpoints(20):
                stuck = not halved and best_loss <= last_best
                halved = rises < 0.75 * (index - judged_at) or stuck
                if halved:
                    size, point, gradient = size / 2, best, best_gradient
                rises, last_best, judged_at = 0, best_loss, index
            ahead = alone.project(point + size * gradient.sign())
            share = 1.0 if index == 0 else 0.75
            moved = alone.project(point + share * (ahead - point) + (1 - share) * (point - before))
            before, point = point, moved
            torch.testing.assert_close(together[index + 1, sample : sample + 1], point, atol=1e-6, rtol=0)
            assert float(sizes[index, sample]) == pytest.approx(size)
    assert sizes[-1].max() < 0.08


@pytest.mark.parametrize("step", [sign, l2_step, momentum, apgd, partial(apgd, norm="l2")])
@pytest.mark.parametrize("around", [linf, l2])
def test_steps_stay_in_the_ball_and_a_zero_gradient_moves_nothing(step, around):
    ball = around(IMAGE, 0.05)
    moved, _ = step(here(IMAGE, torch.zeros_like(IMAGE)), ball)
    assert torch.equal(moved, IMAGE)
    moved, _ = step(here(IMAGE, 1e6 * GRADIENT), ball)
    assert torch.equal(ball.project(moved), moved)
    assert (moved != IMAGE).any()
