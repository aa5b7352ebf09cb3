"""Subject-like brains made from an average template, where no real volume may be shipped."""

from __future__ import annotations

import argparse
import functools
import os
import zlib
from collections.abc import Sequence
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
from monai_advdefense.errors import InputError, OutputError, exit_on_error

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
NOISE_STD = 20.0
_VERSION = 1


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
    wave = np.where(cerebellum > 0.5, wave_field(shape, 9.0, random), wave_field(shape, 20.0, random))
    grey, white = folded_tissues(grey, white, fold, wave)
    mask = strip_mask(grey + white, head)
    drawn = FLUID * (1 - grey - white) + GREY * grey + WHITE * white
    average = np.interp(intensity, [0.0, 0.26, 0.65, 0.87, 1.0], [0.0, FLUID, GREY, WHITE, 1.15 * WHITE])
    clean = (fold * drawn + (1 - fold) * average).astype(np.float32)
    image = scan_intensity(clean, mask, noise=NOISE_STD, random=random)
    # At least 1 inside, so that the brain mask is what is above zero.
    image = np.where(mask, np.maximum(np.rint(image), 1), 0).astype(np.int16)
    return TemplateSample(image, grey * mask, white * mask, affine)


def write_template_samples(folder: str | Path, count: int, *, first_seed: int = 0) -> list[Path]:
    """Write samples of consecutive seeds as NIfTI; those that lie there complete are kept.

    Args:
        folder: gets ``images/sample_SEED.nii.gz`` (int16) and ``tissue/sample_SEED.nii.gz`` (uint8: 0 other, 1 grey
            matter, 2 white matter).
        count: number of samples.
        first_seed: seed of the first one.

    Returns:
        Paths of the images.

    Raises:
        OutputError: a file could not be written.
    """
    images = []
    for seed in range(first_seed, first_seed + count):
        image, tissue = _paths(Path(folder), seed)
        images.append(image)
        if not (_complete(image, seed) and _complete(tissue, seed)):
            sample = template_sample(seed)
            _write(tissue, sample.tissue, sample.affine, seed)
            _write(image, sample.image, sample.affine, seed)
    return images


def _paths(folder: Path, seed: int) -> tuple[Path, Path]:
    """Image and tissue file of one seed."""
    return folder / "images" / f"sample_{seed:03d}.nii.gz", folder / "tissue" / f"sample_{seed:03d}.nii.gz"


def _description(seed: int) -> bytes:
    """Written into the header: files of an older generator are not taken for current ones."""
    return f"template sample v{_VERSION} seed {seed}".encode()


def _complete(path: Path, seed: int) -> bool:
    """Whether the file is there, of this generator, and readable to its last voxel."""
    try:
        volume = nib.load(path)
        np.asanyarray(volume.dataobj)
    except (OSError, EOFError, nib.filebasedimages.ImageFileError, zlib.error):
        return False
    return bool(volume.header["descrip"] == _description(seed))


def _write(path: Path, array: npt.NDArray[np.int16] | npt.NDArray[np.uint8], affine: FloatArray, seed: int) -> None:
    """Write a NIfTI under a temporary name, then rename it."""
    volume = nib.Nifti1Image(array, affine)
    volume.set_qform(affine, code="aligned")
    volume.set_sform(affine, code="aligned")
    volume.header.set_xyzt_units("mm", "sec")
    volume.header["descrip"] = _description(seed)
    partial = path.with_name(f".{os.getpid()}_{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(volume, partial)
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"could not write {path}: {error}; free the place or choose another folder") from error
    finally:
        partial.unlink(missing_ok=True)


def template_datalist(folder: str | Path, split: str) -> list[dict[str, str]]:
    """List the samples of one split in a folder.

    Args:
        folder: as given to :func:`write_template_samples`.
        split: ``train``, ``validation``, ``calibration`` or ``test``.

    Returns:
        Dictionaries with ``image`` and ``tissue``, ordered by seed.

    Raises:
        InputError: unknown split, or no sample of it in the folder.
    """
    pairs = [_paths(Path(folder), seed) for seed in _seeds(split)]
    items = [{"image": str(i), "tissue": str(t)} for i, t in pairs if i.is_file() and t.is_file()]
    if not items:
        raise InputError(
            f"expected template samples of split {split!r} in {folder}, found none; write them with "
            f"python -m monai_advdefense.data.template_sample --output_dir {folder} --split {split} --count N"
        )
    return items


def _seeds(split: str) -> range:
    """Seeds of a split."""
    if split not in SPLIT_SEEDS:
        raise InputError(f"expected a split out of {', '.join(SPLIT_SEEDS)}, found {split!r}")
    return SPLIT_SEEDS[split]


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write the first samples of one split."""
    parser = argparse.ArgumentParser(prog="python -m monai_advdefense.data.template_sample", description=main.__doc__)
    parser.add_argument("--output_dir", required=True, help="folder that gets images/ and tissue/")
    parser.add_argument("--split", required=True, choices=list(SPLIT_SEEDS), help="samples of two splits never agree")
    parser.add_argument("--count", type=int, default=1, help="number of samples")
    options = parser.parse_args(arguments)
    seeds = _seeds(options.split)
    if not 1 <= options.count <= len(seeds):
        raise InputError(f"--count must lie between 1 and {len(seeds)} for split {options.split}, found {options.count}")
    for index, seed in enumerate(seeds[: options.count], start=1):
        (path,) = write_template_samples(options.output_dir, 1, first_seed=seed)
        print(f"{index}/{options.count} {path}", flush=True)


if __name__ == "__main__":
    main()
