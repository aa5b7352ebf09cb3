"""Phantoms of another organ and contrast than the brain: a pair of kidneys, cortex bright, medulla dark."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from monai_advdefense.atomic_path import atomic_path

__all__ = ["kidney_phantom", "write_kidney_phantoms"]

SHAPE = (72, 40, 64)


def kidney_phantom(shape: tuple[int, int, int] = SHAPE, *, seed: int) -> npt.NDArray[np.int16]:
    """Draw two kidneys ``shape``, left-right, posterior-anterior, inferior-superior: 0 outside, up to 2000 inside.

    Size, place, contrast, a smooth drift of brightness and noise differ from seed to seed.
    """
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij", sparse=True)
    image = np.zeros(shape)
    cortex, medulla, pelvis = 1000 * rng.uniform(0.92, 1.08), 550 * rng.uniform(0.92, 1.08), 1600
    for side in (-1, 1):
        middle = np.array([0.48 * side, 0, 0]) + rng.uniform(-0.03, 0.03, 3)
        size = np.array([0.36, 0.8, 0.85]) * rng.uniform(0.92, 1.03, 3)
        place = [(axis - m) / s for axis, m, s in zip((x, y, z), middle, size, strict=True)]
        radius = np.sqrt(sum(axis**2 for axis in place))
        pyramids = np.cos(9 * np.arctan2(place[2], place[0]) + rng.uniform(0, 0.5)) > 0.2
        inside = np.where((radius < 0.75) & pyramids, medulla, cortex)
        image = np.where(radius < 1, np.where(radius < 0.3, pelvis, inside), image)
    phase = rng.uniform(0, 2 * np.pi, 3)
    drift = 1 + 0.08 * np.sin(2 * x + phase[0]) * np.cos(2 * y + phase[1]) * np.cos(2 * z + phase[2])
    noisy = image * drift + rng.normal(0, 35, shape)
    return np.where(image > 0, np.clip(noisy.round(), 1, 2000), 0).astype(np.int16)


def write_kidney_phantoms(folder: Path, seeds: range) -> list[Path]:
    """Write phantoms as NIfTI files of 1 mm and give their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"kidneys_{seed:03d}.nii.gz" for seed in seeds]
    for seed, path in zip(seeds, paths, strict=True):
        with atomic_path(path) as temporary:
            nib.save(nib.Nifti1Image(kidney_phantom(seed=seed), np.eye(4)), temporary)
    return paths
