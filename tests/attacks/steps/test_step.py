from __future__ import annotations

from functools import partial

import pytest
import torch

from monai_advdefense.attacks.balls import l2, linf
from monai_advdefense.attacks.steps import apgd, l2_step, momentum, sign
from monai_advdefense.attacks.steps.step import step_share
from tests.attacks.steps.standing import GRADIENT, IMAGE, here


@pytest.mark.parametrize("step", [sign, l2_step, momentum, apgd, partial(apgd, norm="l2")])
@pytest.mark.parametrize("around", [linf, l2])
def test_steps_stay_in_the_ball_and_a_zero_gradient_moves_nothing(step, around):
    ball = around(IMAGE, 0.05)
    moved, _ = step(here(torch.zeros_like(IMAGE)), ball)
    assert torch.equal(moved, IMAGE)
    moved, _ = step(here(1e6 * GRADIENT), ball)
    assert torch.equal(ball.project(moved), moved)
    assert (moved != IMAGE).any()


@pytest.mark.parametrize("n_steps", [3, 20, 500])
def test_all_steps_together_go_two_and_a_half_times_as_far_as_the_surface(n_steps):
    assert n_steps * step_share(n_steps) == pytest.approx(2.5)
    assert step_share(1) == step_share(0) == 1
