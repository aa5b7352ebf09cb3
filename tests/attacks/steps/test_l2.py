from __future__ import annotations

import torch

from monai_advdefense.attacks.balls import l2, linf
from monai_advdefense.attacks.steps import l2_step
from tests.attacks.steps.standing import GRADIENT, IMAGE, here


def test_a_step_goes_along_the_gradient_an_eighth_of_the_way_to_the_surface():
    moved, _ = l2_step(here(GRADIENT), l2(IMAGE, 0.8))
    torch.testing.assert_close(moved - IMAGE, 0.1 * GRADIENT / 13)


def test_a_given_size_is_its_length_image_by_image():
    moved, _ = l2_step(here(GRADIENT), l2(IMAGE, 0.8), size=torch.tensor([0.2, 0.3]).view(2, 1, 1, 1))
    torch.testing.assert_close((moved - IMAGE).flatten(1).norm(dim=1), torch.tensor([0.2, 0.3]))


def test_in_a_ball_of_the_largest_change_it_is_long_enough_to_reach_a_corner():
    moved, _ = l2_step(here(torch.ones_like(IMAGE), n_steps=1), linf(IMAGE, 0.08))
    torch.testing.assert_close(moved - IMAGE, torch.full_like(IMAGE, 0.08))
