from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks import AttackResult, NoEffectWarning
from monai_advdefense.attacks.balls import bias_field, linf
from monai_advdefense.attacks.climb import Reached

IMAGE = torch.full((3, 1, 2, 2), 0.5)
PIXELS = torch.tensor([4, 2, 0])


def reached(point, *, quality, flipped, moved=(True, True, True)):
    return Reached(
        point=point,
        quality=torch.tensor(quality),
        flipped=torch.tensor(flipped),
        iterations=torch.tensor([3, 5, 7]),
        quality_at_start=torch.ones(3),
        moved=torch.tensor(moved),
    )


def test_success_shares_steps_and_norms_of_a_climb():
    point = IMAGE.clone()
    point[0], point[1] = 0.6, 0.4
    found = AttackResult.of_climb(linf(IMAGE, 0.1), reached(point, quality=[0.0, 0.5, 1.0], flipped=[4, 1, 0]), PIXELS)
    assert found.success.tolist() == [True, False, False]  # an image without a targeted pixel was not attacked
    assert found.flipped.tolist() == [1.0, 0.5, 0.0]
    assert found.iterations.tolist() == [3, 5, 0]
    torch.testing.assert_close(found.norm, torch.tensor([0.2, 0.2, 0.0]))
    assert torch.equal(found.image, point)
    assert torch.equal(found.parameters, point)


def test_parameters_of_a_ball_are_kept_beside_the_image_that_they_make():
    ball = bias_field(torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1)), 0.1, orders=2)
    point = ball.random_points(torch.Generator().manual_seed(0), 1)[0]
    found = AttackResult.of_climb(ball, reached(point, quality=[0.0, 0.5, 1.0], flipped=[4, 1, 0]), PIXELS)
    assert torch.equal(found.parameters, point)
    assert torch.equal(found.image, ball.image(point))
    assert found.parameters.shape == (3, 1, 2, 2)
    assert (found.norm > 0).all()


def test_a_climb_that_never_moved_is_named_and_one_that_gained_is_not(recwarn):
    options = {"quality": [1.0, 1.0, 1.0], "flipped": [0, 0, 0]}
    with pytest.warns(NoEffectWarning, match="network: expected a gradient that moves some pixel"):
        AttackResult.of_climb(linf(IMAGE, 0.1), reached(IMAGE, **options, moved=(False, False, False)), PIXELS)
    recwarn.clear()
    AttackResult.of_climb(linf(IMAGE, 0.1), reached(IMAGE, **options), PIXELS)
    AttackResult.of_climb(linf(IMAGE, 0.1), reached(IMAGE, quality=[0.5, 1, 1], flipped=[2, 0, 0]), PIXELS)
    assert not recwarn


def test_results_are_compared_by_identity():
    found = AttackResult.counted(IMAGE, IMAGE, success=PIXELS > 0, flipped=PIXELS, pixels=PIXELS, steps=2)
    assert found == found
    assert found != AttackResult(**vars(found))  # tensors have no single truth value
    assert found.iterations.tolist() == [2, 2, 0]
    assert found.parameters is None
