"""Subject-like brains made from an average template, where no real volume may be shipped."""

from __future__ import annotations

import argparse
import functools
import os
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from monai.utils import optional_import

from monai_advdefense.data.template_anatomy import (
    FloatArray,
    folded_tissues,
    random_displacement,
    scan_intensity,
    strip_mask,
    warp_maps,
    wave_field,
)
from monai_advdefense.errors import InputError, OutputError

__all__ = ["SPLIT_SEEDS", "TemplateSample", "template_datalist", "template_sample", "write_template_samples"]

# Seeds of the splits never overlap, so that a brain seen in training cannot come back in a test.
SPLIT_SEEDS = {
    "train": range(0, 700),
    "validation": range(700, 800),
    "calibration": range(800, 900),
    "test": range(900, 1000),
}

# Mean intensities of fluid, grey and white matter of 1.5 T MPRAGE scans (arbitrary units), measured over 14 volumes.
FLUID, GREY, WHITE = 260.0, 880.0, 1460.0
NOISE_STD = 18.0


@dataclass(frozen=True)
class TemplateSample:
    """One generated subject; all arrays on one grid of 1 mm.

    Attributes:
        image: T1-weighted intensities, int16, exactly zero outside of the brain.
        grey: grey matter map in [0, 1].
        white: white matter map in [0, 1].
        affine: voxel to world, RAS, mm.
    """

    image: npt.NDArray[np.int16]
    grey: FloatArray
    white: FloatArray
    affine: npt.NDArray[np.float64]

    @property
    def tissue(self) -> npt.NDArray[np.uint8]:
        """Label map: 0 other, 1 grey matter, 2 white matter."""
        return np.where(self.white > 0.5, 2, np.where(self.grey > 0.5, 1, 0)).astype(np.uint8) * (self.image > 0)


@functools.lru_cache(maxsize=1)
def _template() -> tuple[FloatArray, npt.NDArray[np.float64]]:
    """Intensity, grey, white and fold maps ``(4, X, Y, Z)`` with the affine; read from package files alone."""
    datasets, found = optional_import("nilearn.datasets")
    if not found:
        raise InputError("expected nilearn, which ships the brain template; run: pip install monai_advdefense[sample]")
    image = datasets.load_mni152_template(resolution=1)
    maps = [image, datasets.load_mni152_gm_template(resolution=1), datasets.load_mni152_wm_template(resolution=1)]
    arrays = [np.pad(m.get_fdata(dtype=np.float32)[16:181, 16:218, :168], ((0, 0), (0, 0), (6, 0))) for m in maps]
    affine = image.affine @ np.array([[1, 0, 0, 16], [0, 1, 0, 16], [0, 0, 1, -6], [0, 0, 0, 1.0]])
    axes = np.meshgrid(*[np.arange(n) + o for n, o in zip(arrays[0].shape, affine[:3, 3])], indexing="ij", sparse=True)
    fold = np.ones(arrays[0].shape, np.float32)
    # Deep nuclei and brain stem have no folds: soft ellipsoids (centre, radii in mm).
    for center, radii in (((0, -8, 4), (36, 38, 26)), ((0, -28, -38), (17, 17, 42))):
        radius = np.sqrt(sum(((a - c) / r) ** 2 for a, c, r in zip(axes, center, radii)))
        fold *= np.clip((radius - 0.9) / 0.2, 0, 1).astype(np.float32)
    radius = np.sqrt(sum(((a - c) / r) ** 2 for a, c, r in zip(axes, (0, -66, -36), (56, 34, 24))))
    cerebellum = np.clip((1.1 - radius) / 0.2, 0, 1).astype(np.float32)
    return np.stack([*arrays, fold, cerebellum]), affine


def template_sample(seed: int) -> TemplateSample:
    """Generate one subject-like brain: random anatomy, bias field and Rician noise; the same for the same seed."""
    maps, affine = _template()
    random = np.random.RandomState(seed)
    shape = maps.shape[1:]
    center = np.linalg.solve(affine, [0, -18, 0, 1])[:3]
    intensity, grey, white, fold, cerebellum = warp_maps(maps, random_displacement(shape, center, random))
    head = (intensity > 0).astype(np.float32)
    wave = np.where(cerebellum > 0.5, wave_field(shape, 7.0, random), wave_field(shape, 17.0, random))
    grey, white = folded_tissues(grey, white, fold, wave)
    mask = strip_mask(grey + white, head)
    drawn = FLUID * (1 - grey - white) + GREY * grey + WHITE * white
    average = np.interp(intensity, [0.0, 0.26, 0.65, 0.87, 1.0], [0.0, FLUID, GREY, WHITE, 1.15 * WHITE])
    clean = (fold * drawn + (1 - fold) * average).astype(np.float32)
    image = scan_intensity(clean, mask, noise=NOISE_STD, random=random)
    # At least 1 inside, so that the brain mask is what is above zero.
    image = np.where(mask, np.maximum(np.rint(image), 1), 0).astype(np.int16)
    return TemplateSample(image, grey * mask, white * mask, affine)
