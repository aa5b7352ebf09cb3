from __future__ import annotations

import pytest
import torch

from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.guard.scores.slice_features import FEATURES, feature_counts, slice_features


@pytest.fixture(scope="module")
def slices():
    image, _ = brain_phantom((72, 48, 80), seed=3)
    return (torch.from_numpy(image / 2000).float().movedim(1, 0) ** 0.8)[:, None]


@pytest.mark.parametrize("channels", [1, 2])
def test_numbers_are_finite_and_as_many_as_said(slices, channels):
    image = torch.cat([slices[10:20], slices[10:20].flip(0)], dim=1)[:, :channels]
    found = slice_features(image)
    assert {name: found[name].shape for name in FEATURES} == {k: (10, n) for k, n in feature_counts(channels).items()}
    assert all(value.isfinite().all() for value in found.values())


def test_a_slice_does_not_depend_on_the_others_of_its_batch(slices):
    together = slice_features(slices[2:46:11])
    for row, number in enumerate(range(2, 46, 11)):
        alone = slice_features(slices[number : number + 1])
        for name, value in alone.items():
            torch.testing.assert_close(value[0], together[name][row], rtol=1e-3, atol=1e-3)


def test_blank_and_tiny_slices_are_finite():
    image = torch.zeros(3, 1, 40, 56)
    image[1, 0, 20, 30] = 0.5
    image[2, 0, 5:35, 5:50] = 1.0
    for name, value in slice_features(image).items():
        assert value.isfinite().all(), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_numbers_are_those_of_single_precision_whatever_the_image_has(slices, dtype):
    image = slices[20:22].to(dtype)
    for name, value in slice_features(image).items():
        assert torch.equal(value, slice_features(image.float())[name]), name


def test_every_kind_has_gradients(slices):
    for name in FEATURES:
        image = slices[20:22].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(slice_features(image)[name].sum(), image)
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0, name
