"""What every ball keeps."""

from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks.balls import bias_field, intensity_curve, l2, linf, low_frequencies
from tests.attacks.balls.drawn import images, seeded

EVERY = pytest.mark.parametrize("around", [bias_field, intensity_curve, l2, linf, low_frequencies])


def size(change, around):
    """Of each image, in the norm of the budget."""
    return torch.linalg.vector_norm(change.flatten(1), ord=2 if around is l2 else torch.inf, dim=1)


@pytest.mark.parametrize("spatial", [(12,), (9, 7), (5, 6, 7)])
@pytest.mark.parametrize("extent", [(0.0, 1.0), (-1000.0, 1500.0), (-2.5, 3.0)])
@pytest.mark.parametrize("bounded", [True, False])
@EVERY
def test_images_keep_budget_bounds_and_mask_whatever_the_range(around, spatial, extent, bounded):
    image = images(*spatial, low=extent[0], high=extent[1])
    bounds = extent if bounded else None
    mask = torch.rand(1, 1, *spatial, generator=seeded(1)) > 0.3
    budget = 0.1 * (extent[1] - extent[0]) * torch.tensor([0.0, 0.5, 1.0])
    ball = around(image, budget, mask=mask, bounds=bounds)
    assert torch.equal(ball.image(ball.start()), image)
    for point in ball.random_points(seeded(2), 3):
        found = ball.image(point)
        change = found - image
        assert (size(change, around) <= budget).all()
        assert torch.equal(found[0], image[0])
        assert not change[~mask.expand_as(change)].any()
        assert found.min() >= extent[0] or not bounded
        assert found.max() <= extent[1] or not bounded
        assert (size(change, around)[1:] > 0).all()


@EVERY
def test_far_parameters_are_taken_to_the_surface_and_near_ones_stay(around):
    image = images(8, 8)
    ball = around(image, 0.05)
    far = ball.start() + 100 * torch.randn(ball.start().shape, generator=seeded(3))
    near = ball.project(far)
    torch.testing.assert_close(ball.project(near), near)
    assert (size(ball.image(near) - image, around) > 0.02).all()
    assert torch.equal(ball.project(ball.start()), ball.start())


@EVERY
def test_a_batch_draws_what_its_images_draw_in_turn(around):
    image, generator = images(6, 6), seeded(5)
    in_turn = [around(one, 0.3).random_points(generator, 2) for one in image.split(1)]
    together = around(image, 0.3).random_points(seeded(5), 2)
    for place, points in enumerate(together):
        torch.testing.assert_close(points, torch.cat([each[place] for each in in_turn]))


@EVERY
def test_chosen_images_cannot_leave_their_center(around):
    image = images(6, 6)
    ball = around(image, 0.3).shrink_to_center(torch.tensor([False, True, False]))
    change = ball.image(ball.random_points(seeded(), 1)[0]) - image
    assert [bool(each.any()) for each in change] == [True, False, True]
