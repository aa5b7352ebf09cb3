"""The mathematics of a template sample: one random subject's anatomy and scan out of an average brain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.blocks import Warp
from monai.transforms import RandBiasField, RandRicianNoise
from scipy import fft, ndimage, special

__all__ = ["folded_tissues", "random_displacement", "scan_intensity", "strip_mask", "warp_maps", "wave_field"]

FloatArray = npt.NDArray[np.float32]

# Mean size of the brain boxes of healthy subjects relative to the template's, which is known to be too large.
_MEAN_SCALE = (0.95, 0.97, 0.91)


def random_displacement(shape: tuple[int, ...], center: npt.ArrayLike, random: np.random.RandomState) -> FloatArray:
    """Draw a smooth displacement field: subject size, a small rotation, and local differences of a few mm.

    Args:
        shape: spatial size in voxels of 1 mm.
        center: fixed point of size and rotation, in voxels.
        random: source of randomness.

    Returns:
        Displacement in mm, shape ``(3, *shape)``: output voxel ``x`` shows what the template has at ``x + d(x)``.
    """
    scale = np.asarray(_MEAN_SCALE) * random.uniform(0.96, 1.04, 3)
    angle = random.uniform(-1.0, 1.0, 3) * np.deg2rad(4.0)
    skew = np.array([[0, -angle[2], angle[1]], [angle[2], 0, -angle[0]], [-angle[1], angle[0], 0]])
    matrix = (np.eye(3) + skew) / scale - np.eye(3)
    axes = np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij", sparse=True, copy=False)
    offset = [axis - c for axis, c in zip(axes, np.asarray(center), strict=True)]
    field = np.empty((3, *shape), np.float32)
    for i in range(3):
        field[i] = sum(np.float32(matrix[i, j]) * offset[j] for j in range(3))
        # Broad differences of shape, then the course of the single gyri.
        for spacing, std in ((48, 2.5), (16, 1.2)):
            field[i] += std * _spline_field(shape, spacing, random)
    return field


def _spline_field(shape: tuple[int, ...], spacing: int, random: np.random.RandomState) -> FloatArray:
    """Smooth random field of about unit variance: cubic spline through random values every ``spacing`` voxels."""
    field = random.normal(size=[n // spacing + 3 for n in shape]).astype(np.float32)
    for axis, size in enumerate(shape):
        field = _resample(field, np.arange(size) / spacing + 1, axis)
    return field


def _resample(values: FloatArray, position: npt.NDArray[np.float64], axis: int) -> FloatArray:
    """Cubic interpolation along one axis: a small matrix, because full 3-D splines are slow."""
    basis = ndimage.spline_filter1d(np.eye(values.shape[axis]), order=3, axis=0)
    rows = [ndimage.map_coordinates(column, [position], order=3, prefilter=False) for column in basis.T]
    return np.moveaxis(np.tensordot(np.stack(rows, 1).astype(np.float32), values, (1, axis)), 0, axis)


def warp_maps(maps: FloatArray, displacement: FloatArray) -> FloatArray:
    """Resample maps ``(C, *shape)`` at ``x + d(x)``, linearly; zero outside."""
    warp = Warp(mode="bilinear", padding_mode="zeros")
    return np.asarray(warp(torch.from_numpy(maps)[None], torch.from_numpy(displacement)[None])[0].numpy())


def wave_field(shape: tuple[int, ...], wavelength: float, random: np.random.RandomState) -> FloatArray:
    """Gaussian random field of unit variance, whose power lies around one wavelength in voxels."""
    size = [fft.next_fast_len(n, real=True) for n in shape]
    spectrum = fft.rfftn(random.normal(size=size).astype(np.float32))
    k = [fft.fftfreq(n).astype(np.float32) ** 2 for n in size[:-1]] + [fft.rfftfreq(size[-1]).astype(np.float32) ** 2]
    radius = np.sqrt(k[0][:, None, None] + k[1][:, None] + k[2])
    field = fft.irfftn(spectrum * np.exp(-0.5 * ((radius * wavelength - 1) / 0.25) ** 2), s=size)
    field = field[tuple(slice(n) for n in shape)]
    return np.asarray(field / field.std(), np.float32)


def folded_tissues(
    grey: FloatArray, white: FloatArray, fold: FloatArray, wave: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Draw one subject's cortex from the tissue probabilities of many subjects.

    Args:
        grey: probability of grey matter, ``(*shape,)``.
        white: probability of white matter.
        fold: 1 where the tissue is drawn, 0 where the probabilities stay (deep nuclei, brain stem).
        wave: standard normal field; its zero surfaces are winding sheets, as sulci are.

    Returns:
        Grey and white map in [0, 1].
    """
    fluid = np.clip(1 - grey - white, 0, 1)
    slope = np.sqrt(sum(g**2 for g in np.gradient(wave)))
    # Distance in mm to the nearest sulcus: one of the template, or a sheet outside of the white core.
    sheet = (np.abs(wave) < 0.6 * slope) & (ndimage.gaussian_filter(white, 1.0) < 0.5)
    depth = ndimage.distance_transform_edt(~(sheet | (fluid > 0.5))).astype(np.float32)
    part_white = np.maximum(np.clip(depth - 2.5, 0, 1), np.clip((white - 0.75) / 0.2, 0, 1))
    part_fluid = np.clip(0.75 - 0.6 * depth, 0, 1) * (1 - part_white)
    part_grey = 1 - part_white - part_fluid
    return fold * part_grey + (1 - fold) * grey, fold * part_white + (1 - fold) * white


def strip_mask(tissue: FloatArray, head: FloatArray) -> npt.NDArray[np.bool_]:
    """Skull strip: the tissue with narrow sulci and the inner of the head (ventricles) filled; one component."""
    inner = ndimage.gaussian_filter(head, 8.0) > 0.9
    near = ndimage.gaussian_filter(tissue, 1.5) > 0.4
    labels, _ = ndimage.label((inner | near) & (head > 0.5))
    counts = np.bincount(labels.ravel())
    return np.asarray(labels == counts[1:].argmax() + 1)


def scan_intensity(
    clean: FloatArray, mask: npt.NDArray[np.bool_], *, noise: float, random: np.random.RandomState
) -> FloatArray:
    """Turn tissue intensities into a scan: bias field, partial volume, Rician noise, zero outside of the mask."""
    bias = RandBiasField(degree=3, coeff_range=(-0.06, 0.06), prob=1.0)
    rician = RandRicianNoise(prob=1.0, std=noise, sample_std=False)
    # Myelin and partial volume make single regions differ by some per cent, at the scale of a gyrus.
    clean = clean * (1 + 0.03 * _spline_field(clean.shape, 12, random))
    for transform in (bias, rician):
        transform.set_random_state(seed=random.randint(2**31 - 1))
    image = np.asarray(bias(ndimage.gaussian_filter(clean, 0.68)[None]))
    return np.asarray(np.where(mask, np.asarray(rician(image))[0], 0), np.float32)
