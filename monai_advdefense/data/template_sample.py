"""Subject-like brains made from an average template, for where no real volume may be shipped.

python -m monai_advdefense.data.template_sample --output_dir D --split train --count 6
"""

from __future__ import annotations

import argparse
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.data.template_anatomy import (
    FloatArray,
    folded_tissues,
    load_template,
    random_displacement,
    scan_intensity,
    strip_mask,
    warp_maps,
    wave_field,
)
from monai_advdefense.data.template_datalist import SPLIT_SEEDS, sample_paths, split_seeds
from monai_advdefense.errors import exit_on_error
from monai_advdefense.messages import broken_rule

__all__ = ["TemplateSample", "template_sample", "write_template_samples"]

# Median intensity in ventricles, cortex and cerebral white of real 1.5 T MPRAGE scans; median over 14 volumes.
FLUID, GREY, WHITE = 245.0, 890.0, 1485.0
# Noise of the same scans, 0.85 % of white matter: median absolute deviation (x 1.4826) of the second difference along
# an axis (/ sqrt(6)), inside white matter eroded by 3 voxels; median over axes and volumes.
NOISE = 12.5
# Part of every file's header: files of another generator are not taken for complete ones. Raise it with each change.
_VERSION = 1
_MARK = b"template sample"
# What is generated beside the slices that are asked for, in mm: farther than anything is moved.
_MARGIN = 16.0


@dataclass(frozen=True)
class TemplateSample:
    """One generated subject; all arrays on one grid of 1 mm.

    Attributes:
        image: T1-weighted intensities, exactly zero outside of the brain and at least 1 inside.
        grey: grey matter map in [0, 1].
        white: white matter map in [0, 1].
        affine: voxel to world in mm, axes R-A-S.
    """

    image: npt.NDArray[np.int16]
    grey: FloatArray
    white: FloatArray
    affine: npt.NDArray[np.float64]

    @property
    def tissue(self) -> npt.NDArray[np.uint8]:
        """Labels ``(X, Y, Z)``: 0 other, 1 grey matter, 2 white matter."""
        return np.where(self.white > 0.5, 2, self.grey > 0.5).astype(np.uint8)


def template_sample(seed: int, *, coronal: tuple[float, float] | None = None) -> TemplateSample:
    """Generate one subject-like brain; the same for the same seed and the same slices.

    The MNI152 template of nilearn and its tissue maps are deformed; then cortical folds, which an average does not
    show, are drawn into the maps, and the whole is scanned with a bias field and Rician noise.

    Args:
        seed: of what differs between subjects.
        coronal: first and last of the coronal slices to generate, in mm of the template's space; None is all of them.
            A few take a fraction of the time.

    Raises:
        InputError: if nilearn is not installed.
    """
    maps, affine = load_template()
    if coronal is None:
        return _sample(seed, maps, affine)
    low, high = coronal
    rows, moved = _rows(affine, maps.shape[2], low - _MARGIN, high + _MARGIN)
    whole = _sample(seed, maps[:, :, rows], moved)
    rows, moved = _rows(moved, whole.image.shape[1], low, high)
    return TemplateSample(whole.image[:, rows], whole.grey[:, rows], whole.white[:, rows], moved)


def _rows(
    affine: npt.NDArray[np.float64], count: int, low: float, high: float
) -> tuple[slice, npt.NDArray[np.float64]]:
    """Which of the coronal slices lie from ``low`` to ``high`` mm, and the affine of those alone."""
    first = max(round(low - affine[1, 3]), 0)
    moved = affine.copy()
    moved[1, 3] += first
    return slice(first, min(round(high - affine[1, 3]) + 1, count)), moved


def _sample(seed: int, maps: FloatArray, affine: npt.NDArray[np.float64]) -> TemplateSample:
    random = np.random.RandomState(seed)
    shape = maps.shape[1:]
    center = np.linalg.solve(affine, [0, -18, 0, 1])[:3]
    intensity, grey, white, smooth, cerebellum = warp_maps(maps, random_displacement(shape, center, random))
    wave = np.where(cerebellum > 0.5, wave_field(shape, 7.0, random), wave_field(shape, 20.0, random))
    grey, white = folded_tissues(grey, white, smooth, wave)
    mask = strip_mask(grey + white, intensity > 0)
    # Contrast differs between subjects.
    levels = np.array([FLUID, GREY, WHITE]) * random.uniform(0.95, 1.05, 3)
    drawn = levels[0] * (1 - grey - white) + levels[1] * grey + levels[2] * white
    # The template's own intensities of the three tissues, which it leaves where nothing is drawn.
    average = np.interp(intensity, [0.0, 0.26, 0.65, 0.87, 1.0], [0.0, *levels, 1.15 * levels[2]])
    clean = (smooth * average + (1 - smooth) * drawn).astype(np.float32)
    image = scan_intensity(clean, mask, noise=NOISE, random=random)
    return TemplateSample(
        image=np.where(mask, np.maximum(np.rint(image), 1), 0).astype(np.int16),
        grey=grey * mask,
        white=white * mask,
        affine=affine,
    )


def write_template_samples(
    folder: str | Path, count: int, *, first_seed: int = 0, coronal: tuple[float, float] | None = None
) -> list[Path]:
    """Write the samples of consecutive seeds as NIfTI; pairs of files that lie there complete are kept.

    Args:
        folder: gets ``images/sample_SEED.nii.gz`` (int16) and ``tissue/sample_SEED.nii.gz`` (uint8: 0 other, 1 grey
            matter, 2 white matter).
        count: number of samples.
        first_seed: seed of the first one; see :data:`SPLIT_SEEDS`.
        coronal: see :func:`template_sample`; give other slices another folder.

    Returns:
        Paths of the images, by seed.

    Raises:
        InputError: if a seed lies in no split, nilearn is not installed, or a volume of another origin has the name of
            a sample.
        OutputError: if a file cannot be written.
    """
    seeds = range(first_seed, first_seed + count)
    last = max(split.stop for split in SPLIT_SEEDS.values()) - 1
    if count < 1 or first_seed < 0 or seeds[-1] > last:
        raise broken_rule(
            "count, first_seed",
            f"at least one seed, all between 0 and {last}",
            f"count {count} from seed {first_seed}",
            "choose fewer or other seeds",
        )
    images = []
    for seed in seeds:
        image, tissue = sample_paths(Path(folder), seed)
        images.append(image)
        complete = [_is_complete(path, seed) for path in (image, tissue)]
        if not all(complete):
            sample = template_sample(seed, coronal=coronal)
            # The image last: a datalist goes by the images.
            _write(tissue, sample.tissue, sample.affine, seed)
            _write(image, sample.image, sample.affine, seed)
    return images


def _description(seed: int) -> bytes:
    """Text in the header of a file."""
    return _MARK + f" version {_VERSION} seed {seed}".encode()


def _is_complete(path: Path, seed: int) -> bool:
    """Whether the file is there, of this generator and readable to its last voxel."""
    try:
        volume = nib.load(path)
        np.asanyarray(volume.dataobj)
    except (OSError, EOFError, zlib.error, ImageFileError, HeaderDataError):
        return False
    if not bytes(volume.header["descrip"]).startswith(_MARK):
        raise broken_rule(path, "no file or a template sample", "another volume", "choose another folder")
    return bool(volume.header["descrip"] == _description(seed))


def _write(
    path: Path, array: npt.NDArray[np.int16] | npt.NDArray[np.uint8], affine: npt.NDArray[np.float64], seed: int
) -> None:
    """Write a volume, whole or not at all."""
    volume = nib.Nifti1Image(array, affine)
    volume.set_qform(affine, code="mni")
    volume.set_sform(affine, code="mni")
    volume.header.set_xyzt_units("mm")
    volume.header["descrip"] = _description(seed)
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(volume.to_bytes(), compresslevel=4, mtime=0))


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Write the first samples of one split; those that are already there are kept."""
    parser = argparse.ArgumentParser(prog="python -m monai_advdefense.data.template_sample", description=main.__doc__)
    parser.add_argument("--output_dir", required=True, help="folder that gets images/ and tissue/")
    parser.add_argument("--split", required=True, choices=list(SPLIT_SEEDS), help="no sample is in two splits")
    parser.add_argument("--count", type=int, required=True, help="number of samples")
    options = parser.parse_args(arguments)
    seeds = split_seeds(options.split)
    if not 1 <= options.count <= len(seeds):
        rule = f"1 to {len(seeds)} for split {options.split}"
        raise broken_rule("--count", rule, options.count, "choose another number")
    for number, seed in enumerate(seeds[: options.count], start=1):
        [path] = write_template_samples(options.output_dir, 1, first_seed=seed)
        print(f"{number}/{options.count} {path}", flush=True)


if __name__ == "__main__":
    main()
