from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks.balls import linf
from monai_advdefense.attacks.steps import Here, apgd
from monai_advdefense.attacks.steps.apgd import checkpoints

IMAGE = torch.full((2, 1, 2, 2), 0.5)


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


def test_a_size_that_helps_is_kept_and_one_that_overshoots_is_halved():
    ball = linf(torch.full((1, 1, 1, 1), 0.5), 0.4)
    steady, sizes = walk(ball, lambda image: image.flatten(1).sum(1), 4)
    assert float(steady[-1]) == pytest.approx(0.9)
    around, shrinking = walk(ball, lambda image: -((image - 0.51) ** 2).flatten(1).sum(1), 40)
    assert float(shrinking[-1]) < 0.1 * float(shrinking[0]) == pytest.approx(0.08)
    assert float(around[-1]) == pytest.approx(0.51, abs=0.01)
