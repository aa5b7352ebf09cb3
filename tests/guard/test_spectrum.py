from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.guard.spectrum import fft_shift_magnitude

SHAPES = [(2, 1, 8, 6), (2, 3, 7, 5), (1, 1, 9, 4), (1, 2, 1, 3), (1, 1, 4, 5, 6), (2, 1, 3, 3, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_torch_fftshift(shape):
    image = torch.rand(shape, dtype=torch.float64)
    axes = tuple(range(2, len(shape)))
    voxels = math.prod(shape[2:])
    magnitude = torch.fft.fftn(image, dim=axes).abs() / voxels
    shifted = torch.fft.fftshift(magnitude, dim=axes)
    dims = len(axes)

    torch.testing.assert_close(fft_shift_magnitude(image, dims, shift=True, log=False), shifted)
    torch.testing.assert_close(fft_shift_magnitude(image, dims, shift=False, log=False), magnitude)
    logarithm = ((shifted + 1e-7).log() + 16) / 16
    torch.testing.assert_close(fft_shift_magnitude(image, dims), logarithm)


@pytest.mark.parametrize("shape", SHAPES)
def test_parseval(shape):
    image = torch.randn(shape, dtype=torch.float64)
    spectrum = fft_shift_magnitude(image, len(shape) - 2, log=False)
    # With the transform divided by N the energy of the spectrum is the mean square of the image.
    torch.testing.assert_close(spectrum.square().flatten(2).sum(2), image.square().flatten(2).mean(2))


@pytest.mark.parametrize(("side", "frequency"), [(16, 3), (15, 4), (15, 1)])
def test_cosine_has_two_peaks(side, frequency):
    position = torch.arange(side, dtype=torch.float64)
    image = 0.5 + 0.25 * torch.cos(2 * math.pi * frequency * position / side).expand(1, 1, side, side)
    expected = torch.zeros_like(image)
    center = side // 2
    expected[..., center, center] = 0.5
    expected[..., center, center - frequency] = 0.125
    expected[..., center, center + frequency] = 0.125
    torch.testing.assert_close(fft_shift_magnitude(image, log=False), expected)


def test_translation_does_not_change_the_spectrum():
    image = torch.rand(1, 1, 9, 8, dtype=torch.float64)
    torch.testing.assert_close(fft_shift_magnitude(image.roll((2, 3), (2, 3))), fft_shift_magnitude(image))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_image_has_finite_values_and_gradients(dtype, log, value):
    image = torch.full((2, 1, 8, 7), value, dtype=dtype, requires_grad=True)
    spectrum = fft_shift_magnitude(image, log=log)
    (gradient,) = torch.autograd.grad(spectrum.sum(), image)
    assert torch.isfinite(spectrum).all()
    assert torch.isfinite(gradient).all()


def test_log_scale_maps_zero_near_zero_and_one_to_one():
    blank = fft_shift_magnitude(torch.zeros(1, 1, 4, 4))
    torch.testing.assert_close(blank, torch.full_like(blank, (math.log(1e-7) + 16) / 16))
    assert fft_shift_magnitude(torch.ones(1, 1, 4, 4))[0, 0, 2, 2] == pytest.approx(1.0)


@pytest.mark.parametrize(("shape", "dims"), [((1, 1, 4, 5), 2), ((1, 1, 3, 2, 3), 3)])
@pytest.mark.parametrize("log", [True, False])
def test_gradient_equals_finite_differences(shape, dims, log):
    image = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: fft_shift_magnitude(x, dims, log=log), (image,))


@pytest.mark.parametrize(
    ("shape", "dims"), [((2, 1, 33, 48), 2), ((3, 192, 160), 2), ((2, 5, 6, 7), 3), ((1, 1, 9), 1)]
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_an_onnx_file_has_no_transform_and_gives_the_same(shape, dims, dtype, tolerance, monkeypatch):
    image = torch.rand(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    expected = fft_shift_magnitude(image, dims, log=False)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    monkeypatch.delattr(torch.fft, "fftn")
    torch.testing.assert_close(fft_shift_magnitude(image, dims, log=False), expected, rtol=0, atol=tolerance)


def test_scripted_equals_eager():
    scripted = torch.jit.script(fft_shift_magnitude)
    for shape in SHAPES:
        image = torch.rand(shape)
        dims = len(shape) - 2
        for shift, log in [(True, True), (False, True), (True, False)]:
            torch.testing.assert_close(
                scripted(image, dims, shift, log), fft_shift_magnitude(image, dims, shift, log), rtol=0, atol=0
            )
    with pytest.raises(torch.jit.Error, match="spatial_dims: expected 1 to"):
        scripted(torch.rand(4, 4), 3)


@pytest.mark.parametrize("dims", [0, -1, 3])
def test_wrong_spatial_dims_is_an_error(dims):
    with pytest.raises(InputError, match="spatial_dims"):
        fft_shift_magnitude(torch.rand(4, 4), dims)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("log", [True, False])
def test_half_precision_is_transformed_in_single_precision(dtype, log):
    image = torch.rand(2, 1, 9, 6).to(dtype)
    spectrum = fft_shift_magnitude(image, log=log)
    assert spectrum.dtype == dtype
    torch.testing.assert_close(spectrum, fft_shift_magnitude(image.float(), log=log).to(dtype), rtol=0, atol=0)
