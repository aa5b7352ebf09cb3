from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

from monai_advdefense.errors import InputError
from monai_advdefense.guard.divergence import divergence_score, jensen_shannon_divergence, structure_divergence


def random_logits(*shape, seed=0, scale=3.0, dtype=torch.float64):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", [(2, 4, 5, 6), (3, 2), (1, 3, 2, 3, 4)])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 10.0])
def test_equals_scipy(shape, temperature):
    first, second = random_logits(*shape), random_logits(*shape, seed=1)
    p, q = (softmax(logits.numpy() / temperature, axis=1) for logits in (first, second))
    expected = jensenshannon(p, q, axis=1) ** 2
    np.testing.assert_allclose(jensen_shannon_divergence(first, second, temperature), expected, atol=1e-12)
    single = jensen_shannon_divergence(first.float(), second.float(), temperature)
    np.testing.assert_allclose(single, expected, atol=1e-6)


def test_is_0_for_the_same_prediction_whatever_is_added_to_the_logits():
    logits = random_logits(2, 4, 3, 3, dtype=torch.float32)
    for other in (logits, logits + 7.0):
        assert jensen_shannon_divergence(logits, other).max() < 1e-6


@pytest.mark.parametrize("size", [1e3, 1e30, 3e38, math.inf])
def test_closed_forms_of_certain_predictions_hold_for_logits_of_any_size(size):
    """A logit of minus infinity is probability 0."""
    first = torch.tensor([[0.0, -size, -size]])
    second = torch.tensor([[-size, -size, 0.0]])
    torch.testing.assert_close(jensen_shannon_divergence(first, second), torch.tensor([math.log(2)]))
    even = torch.tensor([[0.0, 0.0, -size]])
    expected = torch.tensor([1.5 * math.log(2) - 0.75 * math.log(3)])
    torch.testing.assert_close(jensen_shannon_divergence(first, even), expected)


def test_is_symmetric_and_in_range():
    first, second = (random_logits(4, 5, 8, 8, seed=seed, scale=20.0, dtype=torch.float32) for seed in (0, 1))
    divergence = jensen_shannon_divergence(first, second)
    assert torch.equal(divergence, jensen_shannon_divergence(second, first))
    assert 0 <= divergence.min() < divergence.max() <= math.log(2)


def test_a_high_temperature_takes_the_differences_away_and_a_low_one_leaves_the_most_likely_class():
    first, second = random_logits(2, 4, 6, 6), random_logits(2, 4, 6, 6, seed=1)
    assert jensen_shannon_divergence(first, second, 1e6).max() < 1e-10
    same = first.argmax(1) == second.argmax(1)
    assert {True, False} == set(same.flatten().tolist())
    expected = torch.where(same, 0.0, math.log(2)).double()
    torch.testing.assert_close(jensen_shannon_divergence(first, second, 1e-6), expected)


@pytest.mark.parametrize("size", [0.0, 1.0, 1e4, 1e30])
def test_gradients_are_finite_for_finite_logits(size):
    logits = [size * random_logits(2, 3, 4, 4, seed=seed, dtype=torch.float32) for seed in (0, 1)]
    for pair in (logits, [logits[0], logits[0].clone()]):
        leaves = [item.requires_grad_() for item in pair]
        divergence = jensen_shannon_divergence(*leaves)
        assert divergence.isfinite().all()
        for gradient in torch.autograd.grad(divergence.sum(), leaves):
            assert gradient.isfinite().all()


def test_gradient_equals_finite_differences():
    first, second = (random_logits(1, 3, 2, 2, seed=seed).requires_grad_() for seed in (0, 1))
    image = torch.tensor([[[[1.0, 0.0], [0.5, 1.0]]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a, b: divergence_score(a, b, image, 2.0), (first, second))


def test_score_is_the_mean_inside_each_image():
    first, second = random_logits(4, 3, 5, 6), random_logits(4, 3, 5, 6, seed=1)
    image = torch.zeros(4, 2, 5, 6)
    image[0] = 0.1
    image[1, 0, 2, 3] = image[1, 1, 4, 5] = 1e-6
    image[2] = -1.0
    divergence = jensen_shannon_divergence(first, second, 2.0)
    expected = [divergence[0].mean(), (divergence[1, 2, 3] + divergence[1, 4, 5]) / 2, 0.0, 0.0]
    torch.testing.assert_close(divergence_score(first, second, image, 2.0), torch.tensor(expected).double())


def test_faint_noise_in_the_background_does_not_change_the_score():
    first, second = random_logits(2, 3, 8, 8), random_logits(2, 3, 8, 8, seed=1)
    image = torch.zeros(2, 1, 8, 8)
    image[..., 2:5, 2:6] = 0.3
    noisy = torch.where(image > 0, image, 0.04 * torch.rand(image.shape, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(divergence_score(first, second, noisy), divergence_score(first, second, image))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("second", [True, False])
def test_a_logit_that_is_not_finite_spoils_the_score_of_its_sample_inside_the_image_and_outside(value, second):
    logits, image = torch.zeros(4, 3, 4, 4), torch.zeros(4, 1, 4, 4)
    image[:2, :, 0] = 1.0
    logits[0, 1, 0, 0] = logits[1, 1, 3, 3] = logits[2, 1, 3, 3] = value
    pair = (torch.zeros_like(logits), logits) if second else (logits, torch.zeros_like(logits))
    assert divergence_score(*pair, image).isnan().tolist() == [True, True, True, False]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_score_of_large_images_in_half_precision(dtype):
    """A sum over them in half precision would overflow, and the sample count as not finite."""
    logits = torch.full((1, 8, 128, 128), 10.0, dtype=dtype)
    other = logits.clone()
    other[:, 0] = 12.0
    image = torch.ones(1, 1, 128, 128, dtype=dtype)
    expected = jensen_shannon_divergence(logits[:1, :, 0, 0], other[:1, :, 0, 0])
    torch.testing.assert_close(divergence_score(logits, other, image), expected, rtol=1e-3, atol=0.0)


def test_scripted_equals_eager():
    first, second = random_logits(2, 3, 4, 4), random_logits(2, 3, 4, 4, seed=1)
    image = torch.rand(2, 1, 4, 4) - 0.5
    expected = divergence_score(first, second, image, 2.0)
    torch.testing.assert_close(torch.jit.script(divergence_score)(first, second, image, 2.0), expected)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_not_positive_is_an_error(temperature):
    with pytest.raises(InputError, match="temperature: expected a positive"):
        jensen_shannon_divergence(torch.zeros(1, 2), torch.zeros(1, 2), temperature)


def test_logits_of_other_shapes_are_an_error():
    with pytest.raises(InputError, match=r"other: expected the shape of logits.*2.*found.*3"):
        jensen_shannon_divergence(torch.zeros(1, 2), torch.zeros(1, 3))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_and_half_precision_keep_small_divergences(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(4, 6, 8, 8, generator=generator)
    other = logits + 0.05 * torch.randn(4, 6, 8, 8, generator=generator)
    expected = jensen_shannon_divergence(logits.double(), other.double()).float()
    with torch.autocast("cpu", dtype=dtype):
        torch.testing.assert_close(jensen_shannon_divergence(logits, other), expected, rtol=1e-2, atol=1e-6)
    halves = logits.to(dtype), other.to(dtype)
    expected = jensen_shannon_divergence(*(half.double() for half in halves)).float()
    torch.testing.assert_close(jensen_shannon_divergence(*halves), expected, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize(("other", "image"), [((2, 3, 4, 5), (1, 1, 4, 5)), ((2, 3, 4, 4), (2, 1, 4, 5))])
def test_what_is_not_of_one_image_is_refused(other, image):
    with pytest.raises(InputError, match="logits of this image"):
        divergence_score(torch.zeros(2, 3, 4, 5), torch.zeros(other), torch.ones(image))


@pytest.mark.parametrize("size", [(7, 6), (50, 60)])
def test_structure_divergence_is_the_mean_over_the_pixels_of_each_predicted_class(size):
    first, second = random_logits(2, 4, *size), random_logits(2, 4, *size, seed=1)
    image = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(2)) * 0.1
    divergence = jensen_shannon_divergence(first, second, 4.0)
    mean, count = structure_divergence(first, second, image)
    predicted = second.argmax(1)
    for sample in range(2):
        for index in range(4):
            pixels = predicted[sample] == index
            if index == 0:
                pixels = pixels & (image[sample, 0] > 0.05)
            assert count[sample, index] == pixels.sum()
            torch.testing.assert_close(mean[sample, index], divergence[sample][pixels].mean())


def test_structure_divergence_of_a_class_without_a_pixel_is_0_and_a_sample_does_not_depend_on_the_others():
    first, second, image = random_logits(3, 4, 7, 6), random_logits(3, 4, 7, 6, seed=1), torch.ones(3, 1, 7, 6)
    second[:, 2] = -50.0
    mean, count = structure_divergence(first, second, image)
    assert (mean[:, 2] == 0).all()
    assert (count[:, 2] == 0).all()
    for sample in range(3):
        part = slice(sample, sample + 1)
        alone, number = structure_divergence(first[part], second[part], image[part])
        torch.testing.assert_close(alone, mean[part])
        assert torch.equal(number, count[part])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_structure_divergence_of_a_sample_with_a_logit_that_is_not_finite_is_nan(value):
    logits, image = torch.zeros(3, 3, 4, 4), torch.zeros(3, 1, 4, 4)
    logits[1, 1, 0, 0] = value
    for pair in ((logits, torch.zeros_like(logits)), (torch.zeros_like(logits), logits)):
        mean, _ = structure_divergence(*pair, image)
        assert mean.isnan().all(1).tolist() == [False, True, False]


def test_gradient_of_the_structure_divergence_equals_finite_differences():
    first, second = (random_logits(1, 3, 2, 2, seed=seed).requires_grad_() for seed in (0, 1))
    image = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a, b: structure_divergence(a, b, image)[0], (first, second))


def test_structure_divergence_scripted_equals_eager():
    first, second, image = random_logits(2, 3, 4, 4), random_logits(2, 3, 4, 4, seed=1), torch.rand(2, 1, 4, 4)
    expected = structure_divergence(first, second, image)
    torch.testing.assert_close(torch.jit.script(structure_divergence)(first, second, image), expected)


def test_structure_divergence_of_other_shapes_is_an_error():
    logits = torch.zeros(2, 3, 4, 4)
    with pytest.raises(InputError, match="logits, other, image: expected"):
        structure_divergence(logits, logits, torch.zeros(2, 1, 4, 5))


def test_no_samples_have_no_means():
    nothing = torch.rand(0, 3, 4, 4)
    mean, count = structure_divergence(nothing, nothing, torch.rand(0, 1, 4, 4))
    assert mean.shape == count.shape == (0, 3)
