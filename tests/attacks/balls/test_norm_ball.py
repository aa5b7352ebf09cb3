from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import per_sample
from monai_advdefense.attacks.balls.norm_ball import NormBall, ball_around, unit
from monai_advdefense.errors import InputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*spatial: int, batch: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(batch, 2, *spatial, generator=seeded(1), dtype=dtype)


def around(image: Tensor, radius: Tensor | float, norm: str = "l2", **options) -> NormBall:
    return ball_around(image, radius, norm=norm, **{"mask": None, "bounds": None, **options})


def length(difference: Tensor, norm: str = "l2") -> Tensor:
    order = 2 if norm == "l2" else float("inf")
    return torch.linalg.vector_norm(difference.double().flatten(1), ord=order, dim=1)


@pytest.mark.parametrize("radius", [0.0, 1e-8, 1e-5, 1e-3, 0.1, 2.0, 50.0])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_l2_norm_in_float32_is_never_above_the_radius(radius, bounds):
    image = images(96, 96, dtype=torch.float32)
    ball = around(image, radius, bounds=bounds)
    far = torch.randn(image.shape, generator=seeded(2)) * torch.tensor([0.01, 1, 30]).view(3, 1, 1, 1)
    assert (length(ball.project(image + far).double() - image.double()) <= torch.tensor(radius).double()).all()


def test_l2_norm_is_not_above_the_radius_where_nothing_is_rounded_towards_the_center():
    image = torch.zeros(50, 1, 96, 96)
    far = torch.randn(image.shape, generator=seeded())
    for radius in (0.7, 1.3, 4.0):
        assert (length(around(image, radius).project(far)) <= torch.tensor(radius).double()).all()


@pytest.mark.parametrize("radius", [0.0, 1e-8, 1e-3, 0.1, 0.5])
def test_linf_norm_in_float32_is_never_above_the_radius(radius):
    image = images(96, 96, dtype=torch.float32)
    far = torch.randn(image.shape, generator=seeded(2))
    change = around(image, radius, "linf").project(image + far) - image
    assert (length(change, "linf") <= torch.tensor(radius)).all()


@pytest.mark.parametrize("spatial", [(7,), (4, 3), (2, 3, 2)])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_projection_is_the_nearest_point_of_the_ball(spatial, norm):
    image = images(*spatial)
    radius = torch.tensor([0.1, 0.4, 0.9])
    ball = around(image, radius, norm)
    far = image + torch.randn(image.shape, generator=seeded(3), dtype=image.dtype)
    near = ball.project(far)
    torch.testing.assert_close(length(near - image, norm), radius.double(), rtol=1e-9, atol=0)
    # Of a convex set, the nearest point is the one that sees all others at an obtuse angle to where we came from.
    for seed in range(20):
        other = ball.random_points(seeded(seed), 1)[0]
        assert (((far - near) * (other - near)).flatten(1).sum(1) <= 1e-12).all()


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_point_of_the_ball_stays(norm):
    ball = around(images(5, 5), 0.3, norm)
    point = ball.random_points(seeded(), 1)[0]
    torch.testing.assert_close(ball.project(point), point, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_unit_has_length_one_whatever_the_scale(scale):
    gradient = torch.randn(2, 1, 5, 5, generator=seeded()) * scale
    gradient[1] = 0
    torch.testing.assert_close(length(unit(gradient)), torch.tensor([1.0, 0.0]).double())


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("masked", [False, True])
def test_random_points_fill_the_ball_uniformly(norm, masked):
    image = torch.full((4000, 1, 3), 0.5, dtype=torch.float64)
    mask = torch.tensor([[[1, 0, 1]]]) if masked else None
    change = around(image, 0.2, norm, mask=mask).random_points(seeded(), 1)[0] - image
    if masked:
        assert not change[:, :, 1].any()
    # The volume within a distance grows with its power of the dimension: this is uniform on [0, 1].
    share = (length(change, norm) / 0.2) ** (2 if masked else 3)
    assert share.quantile(torch.tensor([0.25, 0.5, 0.75]).double()).tolist() == pytest.approx(
        [0.25, 0.5, 0.75], abs=0.03
    )
    assert change.mean(0).abs().max() < 0.01


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), torch.ones(2), torch.ones(3, 1)])
def test_number_per_sample_that_does_not_fit_is_named(value):
    with pytest.raises(InputError, match="radius") as raised:
        per_sample("radius", value, images(4, 4))
    assert "\n" not in str(raised.value)


def test_one_number_holds_for_every_sample():
    assert per_sample("radius", 0.5, images(4, 4)).flatten().tolist() == [0.5] * 3
    assert per_sample("radius", torch.tensor([1, 2, 3]), images(4, 4)).shape == (3, 1, 1, 1)
