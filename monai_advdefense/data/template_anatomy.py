"""Steps from an average brain to one random subject's anatomy and its scan.

All fields are on a grid of 1 mm, so voxels and millimetres are the same.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from monai.transforms import RandBiasField, RandRicianNoise, Resample
from monai.utils import optional_import
from scipy import fft, ndimage

from monai_advdefense.messages import broken_rule

__all__ = [
    "FloatArray",
    "folded_tissues",
    "load_template",
    "random_displacement",
    "scan_intensity",
    "strip_mask",
    "warp_maps",
    "wave_field",
]

FloatArray = npt.NDArray[np.float32]

# The MNI152 brain is larger than a subject's: this brings the brain box to that of healthy adults (136 x 175 x 136 mm).
_MEAN_SCALE = (0.935, 0.95, 0.89)
# Knot spacing and standard deviation in mm: broad differences of shape, then the course of the single gyri.
_DEFORMATIONS = ((48, 2.5), (16, 1.2))


@functools.lru_cache(maxsize=1)
def load_template() -> tuple[FloatArray, npt.NDArray[np.float64]]:
    """Read the MNI152 template of 1 mm from the files of the nilearn package; nothing is downloaded.

    Returns:
        Maps ``(5, X, Y, Z)`` and their affine (axes R-A-S): intensity; probability of grey and of white matter; where
        the anatomy stays smooth (deep nuclei, brain stem, half of it in the cerebellum); cerebellum. All in [0, 1].

    Raises:
        InputError: if nilearn is not installed.
    """
    datasets, found = optional_import("nilearn.datasets")
    if not found:
        raise broken_rule(
            "nilearn", "this package, for the brain template", "none", "pip install 'monai_advdefense[sample]'"
        )
    template = datasets.load_mni152_template(resolution=1)
    tissues = [datasets.load_mni152_gm_template(resolution=1), datasets.load_mni152_wm_template(resolution=1)]
    # The brain with a margin for its deformation; it touches the lower end of the template's grid.
    arrays = [
        np.pad(image.get_fdata(dtype=np.float32)[16:181, 16:218, :168], ((0, 0), (0, 0), (6, 0)))
        for image in (template, *tissues)
    ]
    affine = template.affine.copy()
    affine[:3, 3] += (16, 16, -6)
    # Deep nuclei and brain stem have no folds, and those of the cerebellum are narrow and faint.
    deep = _ellipsoid(arrays[0].shape, affine, (0, -8, 4), (36, 38, 26))
    stem = _ellipsoid(arrays[0].shape, affine, (0, -28, -38), (17, 17, 42))
    cerebellum = _ellipsoid(arrays[0].shape, affine, (0, -66, -36), (56, 34, 24))
    return np.stack([*arrays, np.maximum(np.maximum(deep, stem), 0.5 * cerebellum), cerebellum]), affine


def _ellipsoid(
    shape: Sequence[int], affine: npt.NDArray[np.float64], center: Sequence[float], half_axes: Sequence[float]
) -> FloatArray:
    """Map of 1 inside and 0 outside of an ellipsoid (mm), with a soft border."""
    index = np.ogrid[tuple(slice(n) for n in shape)]
    terms = zip(index, affine[:3, 3], center, half_axes, strict=True)
    radius = np.sqrt(sum(((i + origin - c) / h) ** 2 for i, origin, c, h in terms))
    return np.asarray(np.clip((1.1 - radius) / 0.2, 0, 1), np.float32)


def random_displacement(
    shape: Sequence[int], center: npt.NDArray[np.floating], random: np.random.RandomState
) -> FloatArray:
    """Draw a smooth displacement field: a subject's size, a small rotation, local differences of a few mm.

    Args:
        shape: spatial size.
        center: fixed point of size and rotation, in voxels.
        random: source of randomness.

    Returns:
        Displacement d in mm, shape ``(3, *shape)``: the subject has at x what the template has at x + d(x).
    """
    scale = np.asarray(_MEAN_SCALE) * random.uniform(0.96, 1.04, 3)
    a, b, c = np.deg2rad(random.uniform(-4.0, 4.0, 3))
    matrix = np.array([[1, -c, b], [c, 1, -a], [-b, a, 1]]) / scale - np.eye(3)
    offsets = np.ogrid[tuple(slice(n) for n in shape)]
    field = np.empty((3, *shape), np.float32)
    for component, row in zip(field, matrix, strict=True):
        component[:] = sum(r * (x - c) for r, x, c in zip(row, offsets, center, strict=True))
        for spacing, std in _DEFORMATIONS:
            component += std * _spline_field(shape, spacing, random)
    return field


def _spline_field(shape: Sequence[int], spacing: int, random: np.random.RandomState) -> FloatArray:
    """Cubic spline through standard normal values at knots every ``spacing`` voxels."""
    field = random.normal(size=[n // spacing + 3 for n in shape]).astype(np.float32)
    for axis, size in enumerate(shape):
        # One small matrix per axis is far faster than a 3-D spline.
        position = np.arange(size) / spacing + 1
        columns = np.eye(field.shape[axis])
        basis = np.stack([ndimage.map_coordinates(column, [position], order=3) for column in columns], 1)
        field = np.moveaxis(np.tensordot(basis.astype(np.float32), field, (1, axis)), 0, axis)
    return field


def warp_maps(maps: FloatArray, displacement: FloatArray) -> FloatArray:
    """Resample ``maps`` (C, *shape) at x + d(x), linearly; zero outside of the grid."""
    grid = displacement.copy()
    for component, axis in zip(grid, np.ogrid[tuple(slice(n) for n in maps.shape[1:])], strict=True):
        component += axis - (axis.size - 1) / 2
    resample = Resample(mode="bilinear", padding_mode="zeros")
    return np.asarray(resample(torch.from_numpy(maps), torch.from_numpy(grid)), np.float32)


def wave_field(shape: Sequence[int], wavelength: float, random: np.random.RandomState) -> FloatArray:
    """Draw a Gaussian random field of unit variance, with its power around one wavelength in voxels."""
    size = [fft.next_fast_len(n, real=True) for n in shape]
    spectrum = fft.rfftn(random.normal(size=size).astype(np.float32))
    squares = [fft.fftfreq(n).astype(np.float32) ** 2 for n in size[:-1]]
    squares.append(fft.rfftfreq(size[-1]).astype(np.float32) ** 2)
    radius = np.sqrt(sum(np.ix_(*squares)))
    spectrum *= np.exp(-0.5 * ((radius * wavelength - 1) / 0.25) ** 2)
    field = fft.irfftn(spectrum, s=size)[tuple(slice(n) for n in shape)]
    return np.asarray(field / field.std(), np.float32)


def folded_tissues(
    grey: FloatArray, white: FloatArray, smooth: FloatArray, wave: FloatArray, *, thickness: float = 2.4
) -> tuple[FloatArray, FloatArray]:
    """Fold one subject's cortex into the tissue probabilities of many subjects, in which single sulci have faded.

    Every sulcus, the template's or a drawn one, is fluid lined with a grey ribbon; what lies farther off is white.
    White matter that nearly all subjects share stays white.

    Args:
        grey: probability of grey matter, ``(*shape,)``.
        white: probability of white matter.
        smooth: 1 where the probabilities stay as they are (deep nuclei, brain stem), 0 where the cortex is drawn.
        wave: random field; its zero surfaces are winding sheets, as sulci are.
        thickness: of the grey ribbon, in mm.

    Returns:
        Grey and white map; they and the fluid share add up to 1 in each voxel.
    """
    slope = np.sqrt(sum(g**2 for g in np.gradient(wave)))
    # |wave| / slope is the distance to the sheet, to first order; a sulcus does not cut through the white core.
    sheet = (np.abs(wave) < 0.6 * slope) & (ndimage.gaussian_filter(white, 1.0) < 0.7)
    depth = ndimage.distance_transform_edt(~(sheet | (grey + white < 0.5))).astype(np.float32)
    drawn_white = np.maximum(np.clip(depth - thickness, 0, 1), np.clip((white - 0.85) / 0.1, 0, 1))
    drawn_fluid = np.clip(0.75 - 0.6 * depth, 0, 1) * (1 - drawn_white)
    drawn_grey = 1 - drawn_white - drawn_fluid
    return smooth * grey + (1 - smooth) * drawn_grey, smooth * white + (1 - smooth) * drawn_white


def strip_mask(tissue: FloatArray, head: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Strip the skull of ``(X, Y, Z)``: one component of tissue, narrow sulci and ventricles filled."""
    inner = ndimage.gaussian_filter(head.astype(np.float32), 8.0) > 0.9
    near = ndimage.gaussian_filter(tissue, 1.5) > 0.47
    labels, _ = ndimage.label((inner | near) & head)
    return np.asarray(labels == np.bincount(labels.ravel())[1:].argmax() + 1)


def scan_intensity(
    clean: FloatArray, mask: npt.NDArray[np.bool_], *, noise: float, random: np.random.RandomState
) -> FloatArray:
    """Scan an anatomy ``(X, Y, Z)``: partial volume, texture, bias field, Rician noise; 0 outside of the mask.

    Args:
        clean: tissue intensities, ``(*shape,)``.
        mask: the brain.
        noise: standard deviation of the noise in each of the two receiver channels, in units of ``clean``.
        random: source of randomness.
    """
    # Width of a real scan's point spread: without it the slice spectra exceed those of real scans at high frequencies.
    blurred = ndimage.gaussian_filter(clean, 0.64)
    # Myelin differs by some per cent from one gyrus to the next.
    textured = blurred * (1 + 0.03 * _spline_field(clean.shape, 12, random))
    bias = RandBiasField(degree=3, coeff_range=(-0.06, 0.06), prob=1.0)
    rician = RandRicianNoise(prob=1.0, std=noise, sample_std=False)
    bias.set_random_state(seed=random.randint(2**31 - 1))
    rician.set_random_state(seed=random.randint(2**31 - 1))
    image = np.asarray(rician(bias(textured[None])))[0]
    return np.where(mask, image, np.float32(0))
