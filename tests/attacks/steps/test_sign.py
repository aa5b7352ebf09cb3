from __future__ import annotations

import torch

from monai_advdefense.attacks.balls import l2, linf
from monai_advdefense.attacks.steps import sign
from tests.attacks.steps.standing import GRADIENT, IMAGE, here


def test_every_pixel_goes_an_eighth_of_the_way_in_each_of_twenty_steps_and_all_of_it_in_one():
    moved, _ = sign(here(GRADIENT), linf(IMAGE, 0.08))
    torch.testing.assert_close(moved - IMAGE, 0.01 * GRADIENT.sign())
    moved, _ = sign(here(GRADIENT, n_steps=1), linf(IMAGE, 0.08))
    torch.testing.assert_close(moved - IMAGE, 0.08 * GRADIENT.sign())


def test_a_given_size_is_taken_image_by_image_up_to_the_surface():
    size = torch.tensor([0.03, 0.3]).view(2, 1, 1, 1)
    moved, _ = sign(here(GRADIENT), linf(IMAGE, 0.08), size=size)
    torch.testing.assert_close(moved - IMAGE, size.clamp_max(0.08) * GRADIENT.sign())


def test_in_an_l2_ball_all_pixels_together_go_to_the_surface():
    moved, _ = sign(here(torch.ones_like(IMAGE), n_steps=1), l2(IMAGE, 0.08))
    torch.testing.assert_close(moved - IMAGE, torch.full_like(IMAGE, 0.04))
