from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks.balls import bias_field, intensity_curve, low_frequencies
from monai_advdefense.attacks.balls.parametric import sample_range
from tests.attacks.balls.drawn import images, seeded


@pytest.mark.parametrize("around", [bias_field, intensity_curve, low_frequencies])
def test_gradient_by_the_parameters_is_that_of_finite_differences(around):
    ball = around(images(5, 4).double(), 0.1, bounds=(-1.0, 2.0))
    weight = torch.rand(ball.center.shape, generator=seeded(4), dtype=torch.float64)
    point = (0.2 * ball.random_points(seeded(5), 1)[0]).requires_grad_()
    (gradient,) = torch.autograd.grad((weight * ball.image(point)).sum(), point)
    direction = torch.randn(point.shape, generator=seeded(6), dtype=torch.float64)
    with torch.no_grad():
        ahead, behind = ((weight * ball.image(point + sign * 1e-6 * direction)).sum() for sign in (1, -1))
    assert float((gradient * direction).sum()) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-4)


def test_the_range_of_an_image_is_its_own_unless_there_are_bounds():
    image = images(4, 3, low=-2.0)
    low, high = sample_range(image, None)
    assert low.shape == high.shape == (3, 1, 1, 1)
    assert torch.equal(low.flatten(), image.flatten(1).min(1).values)
    assert torch.equal(high.flatten(), image.flatten(1).max(1).values)
    assert [each.flatten().tolist() for each in sample_range(image, (-5.0, 7.0))] == [[-5.0] * 3, [7.0] * 3]
