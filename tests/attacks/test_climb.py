from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from monai_advdefense.attacks.balls import linf
from monai_advdefense.attacks.climb import Reached, better_of, climb
from monai_advdefense.attacks.objectives import cross_entropy
from monai_advdefense.attacks.steps import sign
from monai_advdefense.attacks.task import Outputs, make_task
from monai_advdefense.errors import InputError


class Counting(nn.Module):
    """The image as its own logits; counts passes."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def forward(self, image: Tensor) -> Tensor:
        self.passes += 1
        return image.clone()


def case(*rows: list[list[float]]):
    image = torch.tensor(rows)  # (B, 2, W)
    network = Counting()
    label = image.argmax(1)
    task = make_task(network, image, label, mask=None, include_background=True, outputs=Outputs())
    return network, task, linf(image, 0.2)


def climbed(task, ball, **options):
    settings = {"objective": cross_entropy, "step": sign, "n_steps": 10, **options}
    return climb(task, ball, ball.start(), **settings)


HARD, EASY = [[0.9, 0.9], [0.1, 0.8]], [[0.5, 0.45], [0.45, 0.5]]


def test_it_ends_once_no_image_has_anything_left():
    network, task, ball = case(EASY)
    reached = climbed(task, ball)
    assert reached.quality.tolist() == [0]
    assert network.passes == 1 + int(reached.iterations)  # one for the start, one for each step
    network, task, ball = case(EASY)
    on = climbed(task, ball, stop_at_zero=False)
    assert network.passes == 11
    assert torch.equal(on.point, reached.point)


def test_an_image_that_is_lost_keeps_its_first_point_while_others_go_on():
    _, task, ball = case(EASY, HARD)
    together = climbed(task, ball)
    _, task, ball = case(EASY)
    alone = climbed(task, ball)
    assert torch.equal(together.point[:1], alone.point)
    assert together.iterations.tolist() == [int(alone.iterations), 10]
    assert together.quality.tolist() == [0, 0.5]


def test_best_is_the_earliest_of_the_lowest_quality_and_last_the_last():
    seen = iter([0.8, 0.5, 0.7, 0.5, 0.9, 1.0])

    def quality(logits, label, targets):
        return torch.tensor([next(seen)])

    _, task, ball = case(HARD)
    best = climbed(task, ball, n_steps=5, quality=quality)
    assert (float(best.quality), float(best.quality_at_start)) == pytest.approx((0.5, 0.8))
    step = 0.2 * 2.5 / 5
    torch.testing.assert_close((best.point - ball.center).abs().amax(), torch.tensor(step))  # that of one step
    seen = iter([0.8, 0.5, 0.7, 0.5, 0.9, 1.0])
    last = climbed(task, ball, n_steps=5, quality=quality, keep="last")
    assert float(last.quality) == 1
    torch.testing.assert_close((last.point - ball.center).abs().amax(), torch.tensor(0.2))


def test_an_objective_is_given_the_progress_and_the_label():
    told = []

    def objective(logits: Tensor, targets: Tensor, progress: float = 0.0, *, label: Tensor) -> Tensor:
        told.append((progress, label.tolist()))
        return cross_entropy(logits, targets)

    _, task, ball = case(HARD)
    climbed(task, ball, n_steps=4, objective=objective)
    assert told == [(share, [[0, 0]]) for share in (0, 0.25, 0.5, 0.75)]


def test_of_two_climbs_the_better_counts_for_each_image_and_steps_add_up():
    first = Reached(
        point=torch.tensor([[1.0], [1.0], [1.0]]),
        quality=torch.tensor([0.5, 0.2, 0.3]),
        flipped=torch.tensor([5, 8, 7]),
        iterations=torch.tensor([1, 2, 3]),
        quality_at_start=torch.ones(3),
        moved=torch.tensor([True, False, False]),
    )
    second = replace(first, point=2 * first.point, quality=torch.tensor([0.4, 0.4, 0.3]), moved=~first.moved)
    found = better_of(first, second)
    assert found.point.flatten().tolist() == [2, 1, 1]  # of equals the first
    assert found.quality.tolist() == pytest.approx([0.4, 0.2, 0.3])
    assert found.iterations.tolist() == [2, 4, 6]
    assert found.moved.all()


def test_no_step_and_gradients_that_are_not_finite_are_named():
    _, task, ball = case(HARD)
    with pytest.raises(InputError, match="n_steps: expected at least 1, found 0"):
        climbed(task, ball, n_steps=0)
    with pytest.raises(InputError, match="network: expected finite gradients of the image"):
        climbed(task, ball, objective=lambda logits, targets, progress: (logits - logits.detach()).sum(1).sqrt().sum(1))
