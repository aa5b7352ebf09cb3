"""The converter: from an image to the (logarithmic) magnitude of its centred spectrum."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from monai_advdefense.errors import InputError

__all__ = ["fft_shift_magnitude"]


def fft_shift_magnitude(image: Tensor, spatial_dims: int = 2, shift: bool = True, log: bool = True) -> Tensor:
    """Magnitude of the discrete Fourier transform over the last ``spatial_dims`` axes.

    The transform is divided by the number of voxels, so the zero frequency holds the mean of the image. With ``log``
    the result is ``(log(magnitude + 1e-7) + 16) / 16``: 1 for magnitude 1 and close to 0 for magnitude 0, so values
    and input gradients stay finite on blank images. Can be scripted, and exported with free axis lengths.

    Args:
        image: real image ``(..., *spatial)``, floating point, usually in [0, 1]; half precision is
            transformed in single precision.
        spatial_dims: number of trailing axes to transform.
        shift: move the zero frequency to index ``n // 2`` of each transformed axis of length ``n``.
        log: return the logarithm above instead of the linear magnitude.

    Returns:
        Spectrum of the same shape as ``image``, and in half precision if that is.

    Raises:
        InputError: ``image`` has fewer than ``spatial_dims`` axes, or ``spatial_dims`` is less than 1.

    Source:
        Park et al., "Robustification of Segmentation Models Against Adversarial Perturbations In Medical Imaging"
        (2020); the logarithm is scaled for networks that expect inputs of order 1.

    Example:
        >>> fft_shift_magnitude(torch.full((1, 1, 3, 3), 0.5), log=False)[0, 0]
        tensor([[0.0000, 0.0000, 0.0000],
                [0.0000, 0.5000, 0.0000],
                [0.0000, 0.0000, 0.0000]])
    """
    if spatial_dims < 1 or image.dim() < spatial_dims:
        raise InputError(
            f"spatial_dims: expected 1 to the number of image axes ({image.dim()}), found {spatial_dims}: "
            "pass the number of trailing axes to transform"
        )
    axes = list(range(-spatial_dims, 0))
    # Few sizes and no CPU can be transformed in half precision.
    half = image.dtype == torch.float16 or image.dtype == torch.bfloat16
    magnitude = _magnitude(image.float() if half else image, axes)
    if shift:
        for axis in axes:
            magnitude = _swap_halves(magnitude, axis)
    if log:
        magnitude = (torch.log(magnitude + 1e-7) + 16.0) / 16.0
    return magnitude.to(image.dtype) if half else magnitude


def _magnitude(image: Tensor, axes: list[int]) -> Tensor:
    """Magnitude of the transform over some axes, divided by the number of their voxels."""
    # Two conditions: TorchScript compiles the second of one line.
    if not torch.jit.is_scripting():  # noqa: SIM102
        if torch.onnx.is_in_onnx_export():
            return _magnitude_by_products(image, axes)
    magnitude: Tensor = torch.fft.fftn(image, dim=axes, norm="forward").abs()
    return magnitude


def _magnitude_by_products(image: Tensor, axes: list[int]) -> Tensor:
    """The same by products with Fourier matrices: OpenVINO transforms the wrong axis of an ONNX file with a DFT."""
    real, imaginary = image, torch.zeros_like(image)
    for axis in axes:
        length = image.shape[axis]
        index = torch.arange(length, device=image.device)
        product = (index[:, None] * index).to(image.dtype)
        # Less whole turns, so that the angles are exact in single precision.
        angle = 2 * math.pi * (product - torch.floor(product / length) * length) / length
        cosine, sine = torch.cos(angle), torch.sin(angle)
        real, imaginary = real.transpose(axis, -1) / length, imaginary.transpose(axis, -1) / length
        real, imaginary = real @ cosine + imaginary @ sine, imaginary @ cosine - real @ sine
        real, imaginary = real.transpose(axis, -1), imaginary.transpose(axis, -1)
    return torch.sqrt(real * real + imaginary * imaginary)


def _swap_halves(spectrum: Tensor, axis: int) -> Tensor:
    # torch.fft.fftshift would fix the axis lengths in an ONNX export.
    length = spectrum.shape[axis]
    half = (length + 1) // 2
    return torch.cat([spectrum.narrow(axis, half, length - half), spectrum.narrow(axis, 0, half)], dim=axis)
