from __future__ import annotations

import pytest
import torch
from scipy.fft import idctn

from monai_advdefense.attacks.balls import bias_field, intensity_curve, low_frequencies
from monai_advdefense.attacks.balls.cosines import cosine_rows, from_cosines

BALLS = {"low_frequencies": low_frequencies, "bias_field": bias_field, "intensity_curve": intensity_curve}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*spatial, low=0.0, high=1.0):
    return low + (high - low) * torch.rand(3, 2, *spatial, generator=seeded())


@pytest.mark.parametrize("spatial", [(12,), (9, 7), (5, 6, 7)])
@pytest.mark.parametrize("extent", [(0.0, 1.0), (-1000.0, 1500.0), (-2.5, 3.0)])
@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("name", list(BALLS))
def test_images_keep_budget_bounds_and_mask_whatever_the_range(name, spatial, extent, bounded):
    image = images(*spatial, low=extent[0], high=extent[1])
    bounds = extent if bounded else None
    mask = torch.rand(1, 1, *spatial, generator=seeded(1)) > 0.3
    budget = 0.1 * (extent[1] - extent[0]) * torch.tensor([0.0, 0.5, 1.0])
    ball = BALLS[name](image, budget, mask=mask, bounds=bounds)
    assert torch.equal(ball.image(ball.start()), image)
    for point in ball.random_points(seeded(2), 3):
        found = ball.image(point)
        change = (found - image).abs()
        assert (change.flatten(1).amax(1) <= budget).all()
        assert torch.equal(found[0], image[0])
        assert not change[~mask.expand_as(change)].any()
        assert found.min() >= extent[0] or not bounded
        assert found.max() <= extent[1] or not bounded
        assert (change[1:].flatten(1).amax(1) > 0).all()


@pytest.mark.parametrize("name", list(BALLS))
def test_far_parameters_are_taken_to_the_surface_and_near_ones_stay(name):
    image = images(8, 8)
    ball = BALLS[name](image, 0.05)
    far = ball.start() + 100 * torch.randn(ball.start().shape, generator=seeded(3))
    near = ball.project(far)
    torch.testing.assert_close(ball.project(near), near)
    change = (ball.image(near) - image).abs().flatten(1).amax(1)
    assert (change > 0.02).all()
    assert torch.equal(ball.project(ball.start()), ball.start())


@pytest.mark.parametrize("name", list(BALLS))
def test_gradient_by_the_parameters_is_that_of_finite_differences(name):
    ball = BALLS[name](images(5, 4).double(), 0.1, bounds=(-1.0, 2.0))
    weight = torch.rand(ball.center.shape, generator=seeded(4), dtype=torch.float64)
    point = (0.2 * ball.random_points(seeded(5), 1)[0]).requires_grad_()
    (gradient,) = torch.autograd.grad((weight * ball.image(point)).sum(), point)
    direction = torch.randn(point.shape, generator=seeded(6), dtype=torch.float64)
    with torch.no_grad():
        ahead, behind = ((weight * ball.image(point + sign * 1e-6 * direction)).sum() for sign in (1, -1))
    assert float((gradient * direction).sum()) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-4)


def test_cosines_are_those_of_the_inverse_discrete_cosine_transform():
    weights = torch.randn(2, 1, 3, 4, generator=seeded(), dtype=torch.float64)
    padded = torch.zeros(2, 1, 8, 9, dtype=torch.float64)
    padded[..., :3, :4] = weights
    expected = idctn(padded.numpy(), type=2, norm="ortho", axes=(2, 3))
    torch.testing.assert_close(from_cosines(weights, (8, 9)), torch.from_numpy(expected))
    assert cosine_rows(2, 5, weights).dtype == torch.float64


def test_l2_budget_of_low_frequencies_is_kept():
    image = images(16, 16)
    ball = low_frequencies(image, 2.0, norm="l2")
    change = ball.image(ball.project(100 * torch.randn(ball.start().shape, generator=seeded()))) - image
    norm = torch.linalg.vector_norm(change.flatten(1), dim=1)
    torch.testing.assert_close(norm, torch.full((3,), 2.0), rtol=1e-4, atol=0)


def test_intensity_curve_never_exchanges_brighter_and_darker():
    image = images(16, 16, low=-3.0, high=2.0)[:, :1]
    ball = intensity_curve(image, 3.0)
    for seed in range(5):
        found = ball.image(ball.project(100 * torch.randn(ball.start().shape, generator=seeded(seed))))
        before, order = image.flatten(2).sort(2)
        after = found.flatten(2).gather(2, order)
        assert (after.diff(dim=2) >= -1e-5).all()
        torch.testing.assert_close(after[..., [0, -1]], before[..., [0, -1]], atol=1e-5, rtol=0)


def test_bias_field_is_one_smooth_factor_for_all_channels():
    image = 0.2 + 0.6 * images(32, 32)
    ball = bias_field(image, 0.2, bounds=(0.0, 1.0))
    factor = ball.image(ball.random_points(seeded(), 1)[0]) / image
    torch.testing.assert_close(factor[:, 0], factor[:, 1])
    assert factor.diff(dim=-1).abs().max() < 0.05
