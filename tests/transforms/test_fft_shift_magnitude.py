from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_advdefense import transforms
from monai_advdefense.errors import InputError
from monai_advdefense.guard.spectrum import fft_shift_magnitude
from monai_advdefense.transforms import FFTShiftMagnitude, FFTShiftMagnituded


def expected_spectrum(image):
    magnitude = np.abs(np.fft.fftshift(np.fft.fftn(image, axes=range(1, image.ndim)), axes=range(1, image.ndim)))
    return (np.log(magnitude / image[0].size + 1e-7) + 16) / 16


@pytest.mark.parametrize("shape", [(1, 8, 7), (2, 5, 6), (1, 4, 5, 3)])
def test_array_in_array_out(shape):
    image = np.random.default_rng(0).random(shape)
    result = FFTShiftMagnitude(spatial_dims=len(shape) - 1)(image)
    assert type(result) is np.ndarray
    assert result.dtype == image.dtype
    np.testing.assert_allclose(result, expected_spectrum(image), atol=1e-10)


def test_tensor_in_tensor_out():
    image = torch.rand(1, 6, 7)
    result = FFTShiftMagnitude()(image)
    assert type(result) is torch.Tensor
    assert torch.equal(result, fft_shift_magnitude(image))


def test_meta_tensor_keeps_its_meta_data():
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    image = MetaTensor(torch.rand(1, 6, 7), affine=affine, meta={"filename_or_obj": "brain.nii.gz"})
    before = image.clone()
    result = FFTShiftMagnitude(log=False)(image)
    assert isinstance(result, MetaTensor)
    assert result.meta["filename_or_obj"] == "brain.nii.gz"
    assert torch.equal(result.affine, affine)
    assert torch.equal(result.as_tensor(), fft_shift_magnitude(before.as_tensor(), log=False))
    assert torch.equal(image, before)


def test_integers_are_not_rounded():
    image = np.arange(12, dtype=np.int16).reshape(1, 3, 4)
    np.testing.assert_allclose(FFTShiftMagnitude()(image), expected_spectrum(image), atol=1e-5)


@pytest.mark.parametrize(("shape", "dims"), [((6, 7), 2), ((1, 6, 7), 3), ((1, 6, 7, 8), 2)])
def test_wrong_number_of_axes_is_an_error(shape, dims):
    with pytest.raises(InputError, match="spatial_dims"):
        FFTShiftMagnitude(spatial_dims=dims)(torch.rand(shape))


def test_dictionary_transforms_its_keys_only():
    data = {"image": torch.rand(1, 5, 4), "other": torch.rand(1, 5, 4), "label": torch.ones(1, 5, 4)}
    result = FFTShiftMagnituded(("image", "other"), shift=False, log=False)(data)
    for key in ("image", "other"):
        assert torch.equal(result[key], fft_shift_magnitude(data[key], shift=False, log=False))
    assert result["label"] is data["label"]


def test_missing_key():
    data = {"image": torch.rand(1, 5, 4)}
    with pytest.raises(KeyError, match="other"):
        FFTShiftMagnituded(("image", "other"))(data)
    result = FFTShiftMagnituded(("image", "other"), allow_missing_keys=True)(data)
    assert set(result) == {"image"}


@pytest.mark.parametrize("suffix", ["D", "Dict"])
def test_aliases(suffix):
    assert getattr(transforms, "FFTShiftMagnitude" + suffix) is FFTShiftMagnituded
