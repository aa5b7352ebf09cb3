"""Synthetic brains for tests and examples: quick, deterministic, and nobody's."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import nibabel as nib
import numpy as np

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.messages import broken_rule

__all__ = ["brain_phantom", "write_phantom_dataset"]

_Grid: TypeAlias = Sequence[np.ndarray[Any, Any]]

_SPLITS = ("train", "validation", "calibration", "test")


def brain_phantom(
    shape: Sequence[int] = (64, 64, 64), *, seed: int, classes: int = 4
) -> tuple[np.ndarray[Any, np.dtype[np.int16]], np.ndarray[Any, np.dtype[np.uint8]]]:
    """Draw a skull-stripped phantom: nested, wobbly ellipsoids with a smooth bias field and noise.

    Class 1 is the outer shell ("cortex"), 2 the inside ("white matter"), each further class a pair of small
    ellipsoids, one in each hemisphere.

    Args:
        shape: voxels along left-right, posterior-anterior and inferior-superior.
        seed: same seed, same phantom.
        classes: number of classes, background included.

    Returns:
        Image ``(X, Y, Z)`` int16, 1 to 2000 in the brain and 0 outside, and label map of the same shape, uint8.

    Raises:
        InputError: if there is no room for the classes on the grid.

    Example:
        >>> image, label = brain_phantom((24, 24, 24), seed=0)
        >>> bool(((image > 0) == (label > 0)).all())
        True
    """
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij", sparse=True)
    center, radii = rng.uniform(-0.04, 0.04, 3), rng.uniform(0.72, 0.88, 3)
    radius = _distance(grid, center, radii) + 0.06 * _smooth_field(rng, grid)
    label = np.zeros(tuple(shape), np.uint8)
    label[radius < 1] = 1
    label[radius < 0.78] = 2 if classes > 2 else 1
    size = min(0.2, 0.8 / max(classes - 3, 1))
    for number in range(3, classes):
        angle = 2 * np.pi * (number - 3) / (classes - 3) + rng.uniform(-0.1, 0.1)
        middle = center + np.array([0.3, 0.35 * np.cos(angle), 0.35 * np.sin(angle)])
        for side in (1, -1):
            label[_distance(grid, middle * [side, 1, 1], np.full(3, size)) < 1] = number
    if classes < 2 or len(np.unique(label)) != classes:
        raise broken_rule(
            "classes",
            f"room for each of {classes} classes",
            f"too little in shape {tuple(shape)}",
            "use at least 2 classes, or a larger shape",
        )
    means = np.array([0, 900, 1500, *np.linspace(400, 1200, 253)])
    image = means[label] * (1 + 0.15 * _smooth_field(rng, grid)) + rng.normal(0, 40, tuple(shape))
    return np.where(label > 0, np.clip(image.round(), 1, 2000), 0).astype(np.int16), label


def write_phantom_dataset(
    folder: str | os.PathLike[str],
    subjects: int = 4,
    *,
    shape: Sequence[int] = (32, 32, 32),
    seed: int = 0,
    classes: int = 4,
) -> Path:
    """Write phantoms in the layout of the MALC 2012 data.

    ``images/SCAN.nii.gz``, ``labels/SCAN.nii.gz``, ``subjects.csv`` (splits in turn: train, validation, calibration,
    test) and ``classes.csv``. As in the real data, label maps hold source labels, several of which make up one class:
    class c is 10 c + 1 in one hemisphere and 10 c + 2 in the other.

    Args:
        folder: folder to write to; made if missing.
        subjects: number of subjects, one scan each.
        shape: voxels of each volume, 1 mm, axes L-A-S.
        seed: seed of the first phantom; each next one has the next.
        classes: number of classes, background included.

    Returns:
        The folder.

    Raises:
        InputError: if there is no room for the classes on the grid, or the folder holds another data set.
        OutputError: if a file cannot be written.
    """
    folder = Path(folder)
    scans = [str(1000 + number) for number in range(subjects)]
    rows = [[scan, f"P{i:04d}", "FM"[i % 2], 20 + i, _SPLITS[i % len(_SPLITS)]] for i, scan in enumerate(scans)]
    table = _table(["scan", "subject", "sex", "age", "split"], rows)
    subjects_file = folder / "subjects.csv"
    if subjects_file.exists() and subjects_file.read_text(encoding="utf-8") != table:
        raise broken_rule(
            subjects_file, "no file or that of these phantoms", "another data set", "choose another folder"
        )
    for number, scan in enumerate(scans):
        image, label = brain_phantom(shape, seed=seed + number, classes=classes)
        hemisphere = 1 + (np.arange(shape[0]) >= shape[0] // 2)[:, None, None]
        source_label = np.where(label > 0, 10 * label.astype(np.int16) + hemisphere, 0).astype(np.int16)
        _write_volume(folder / "images" / f"{scan}.nii.gz", image)
        _write_volume(folder / "labels" / f"{scan}.nii.gz", source_label)
    names = [[c, f"structure {c}", f"{10 * c + 1} {10 * c + 2}"] for c in range(1, classes)]
    classes_table = _table(["class", "name", "source_labels"], [[0, "background", 0], *names])
    for path, text in ((folder / "classes.csv", classes_table), (subjects_file, table)):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    return folder


def _distance(grid: _Grid, center: np.ndarray[Any, Any], radii: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Distance from a center in units of the radii; 1 on the surface of the ellipsoid."""
    return np.sqrt(sum(((g - c) / r) ** 2 for g, c, r in zip(grid, center, radii, strict=True)))  # type: ignore[no-any-return]


def _smooth_field(rng: np.random.Generator, grid: _Grid) -> np.ndarray[Any, Any]:
    """Sum of a few random waves of low frequency, between -1 and 1."""
    waves = [
        np.cos(
            np.pi * sum(f * g for f, g in zip(rng.uniform(-1.5, 1.5, 3), grid, strict=True)) + rng.uniform(0, 2 * np.pi)
        )
        for _ in range(4)
    ]
    return np.mean(waves, axis=0)  # type: ignore[no-any-return]


def _write_volume(path: Path, array: np.ndarray[Any, Any]) -> None:
    volume = nib.nifti1.Nifti1Image(array, np.diag([-1.0, 1.0, 1.0, 1.0]))
    volume.set_qform(volume.affine, code="scanner")
    volume.set_sform(volume.affine, code="scanner")
    volume.header.set_xyzt_units("mm", "sec")
    with atomic_path(path) as temporary:
        nib.save(volume, temporary)


def _table(header: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
