from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from monai_advdefense.attacks.noise import NORM_TOLERANCE, rician_noise
from monai_advdefense.errors import InputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*spatial: int, batch: int = 3) -> torch.Tensor:
    image = torch.rand(batch, 1, *spatial, generator=seeded(1))
    return image * (image > 0.3)


@pytest.mark.parametrize("spatial", [(16, 17), (5, 6, 7)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_norm_per_sample_is_the_one_asked_for_after_mask_and_clamp(spatial, masked, bounds):
    image = images(*spatial)
    norm = torch.tensor([0.05, 1.0, 3.0])
    mask = image > 0 if masked else None
    noisy = rician_noise(image, norm=norm, mask=mask, bounds=bounds, generator=seeded())
    torch.testing.assert_close((noisy - image).flatten(1).norm(dim=1), norm, rtol=2 * NORM_TOLERANCE, atol=0)
    if masked:
        assert torch.equal(noisy[image == 0], image[image == 0])
    if bounds is not None:
        assert noisy.max() <= 1
    assert noisy.min() >= 0


def test_norm_zero_is_the_identity():
    image = images(8, 8)
    assert torch.equal(rician_noise(image, norm=0, generator=seeded()), image)


def test_noise_has_the_moments_of_the_rice_distribution():
    side = 200
    image = torch.full((1, 1, side, 2 * side), 2.0, dtype=torch.float64)
    image[..., side:] = 0
    sigma = 0.1
    # E|noisy - image|^2: 2 sigma^2 where the image is 0 (Rayleigh), about sigma^2 where it is far above sigma.
    norm = side * sigma * 3**0.5
    noisy = rician_noise(image, norm=norm, bounds=None, generator=seeded())
    bright, dark = noisy[..., :side], noisy[..., side:]
    assert dark.mean().item() == pytest.approx(sigma * (torch.pi / 2) ** 0.5, rel=0.02)
    assert dark.square().mean().item() == pytest.approx(2 * sigma**2, rel=0.02)
    assert bright.std().item() == pytest.approx(sigma, rel=0.02)
    assert bright.mean().item() == pytest.approx(2 + sigma**2 / (2 * 2), abs=2e-3)


def test_batch_draws_what_its_samples_draw_in_turn_and_inputs_stay():
    image = images(9, 9)
    copy = image.clone()
    norm = torch.tensor([0.5, 1.0, 2.0])
    generator = seeded(5)
    in_turn = [rician_noise(image[i : i + 1], norm=norm[i], generator=generator) for i in range(3)]
    torch.testing.assert_close(rician_noise(image, norm=norm, generator=seeded(5)), torch.cat(in_turn))
    assert torch.equal(image, copy)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"norm": -1}, "norm"),
        ({"norm": float("inf")}, "norm"),
        ({"norm": torch.ones(2)}, "norm"),
        ({"norm": 100}, "norm"),  # farther than the bounds allow
        ({"mask": torch.zeros(1, 1, 8, 8)}, "norm"),
        ({"mask": torch.ones(8, 8)}, "mask"),
        ({"image": images(8, 8) - 0.5, "bounds": None}, "image"),
        ({"bounds": (0.0, 0.5)}, "image"),
    ],
)
def test_argument_that_does_not_fit_is_named(changes, name):
    given = {"image": images(8, 8), "norm": 1.0, "generator": seeded(), **changes}
    with pytest.raises(InputError, match=f"{name}"):
        rician_noise(**given)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_reaches_the_norm_within_its_rounding(dtype):
    image = torch.full((1, 1, 96, 96), 0.5, dtype=dtype)
    noisy = rician_noise(image, norm=4.0, generator=torch.Generator().manual_seed(0))
    assert noisy.dtype == dtype
    assert float((noisy.double() - image.double()).norm()) == pytest.approx(4.0, rel=0.01)


def test_no_image_gets_no_noise_and_metadata_of_a_mask_do_not_come_through():
    empty = torch.zeros(0, 1, 4, 4)
    assert rician_noise(empty, norm=1.0, generator=torch.Generator()).shape == empty.shape
    image, mask = torch.full((1, 1, 8, 8), 0.5), MetaTensor(torch.ones(1, 1, 8, 8))
    noisy = rician_noise(image, norm=0.1, mask=mask, generator=torch.Generator().manual_seed(0))
    assert type(noisy) is torch.Tensor
