"""A DICOM series as a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_advdefense.dicom.check_slices import check_image, check_same_grid, check_slice_positions, decode
from monai_advdefense.dicom.libraries import check_libraries
from monai_advdefense.messages import broken_rule, reason

__all__ = ["Series", "read_series"]

# DICOM's first two axes point to the left and to the back, those of NIfTI to the right and to the front.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Real-world values are another unit, and none of the transforms for a screen belongs into a volume.
_PIXELS = {"dtype": np.float64, "apply_real_world_transform": False, "apply_presentation_lut": False}


@dataclass(frozen=True)
class Series:
    """A volume and where it came from.

    Attributes:
        array: intensities ``(columns, rows, slices)`` after the rescale slope and intercept, float32.
        affine: voxel indices to mm in the patient, RAS, ``(4, 4)``.
        headers: pydicom's data sets of its files, without voxels.
    """

    array: NDArray[np.float32]
    affine: NDArray[np.float64]
    headers: tuple[Any, ...]


def read_series(files: Sequence[Path], *, name: str) -> Series:
    """Read a series: one file for each slice, or one file with all of them (enhanced MR or CT).

    Slices are sorted by their position along the normal of their plane, whatever their instance numbers are; nothing is
    turned or resampled. Voxels and affine are those of the NIfTI file that SimpleITK makes of the same series.

    Args:
        files: the files of one series in any order.
        name: what to call the series in messages.

    Raises:
        InputError: if a file is no image, is not decodable, is not in MONOCHROME2, or the slices are no volume: of
            several series, orientations or sizes, two at one position, one missing.
    """
    check_libraries()
    datasets = [_read(path) for path in files]
    for each in datasets:
        check_image(each)
    several = [each for each in datasets if "SharedFunctionalGroupsSequence" in each]
    if several and len(datasets) > 1:
        found = f"{len(datasets)} files, {several[0].filename} with several slices"
        raise broken_rule(name, "one file with several slices, or files with one", found, "give one file at a time")
    if not several:
        check_same_grid(name, datasets)
        check_slice_positions(name, datasets)
    for each in datasets:
        decode(each)
    volume = _volume(name, datasets, bool(several))
    array, affine = _columns_first(volume)
    for each in datasets:
        del each.PixelData
    return Series(array, affine, tuple(datasets))


def _read(path: Path) -> Any:
    from pydicom import dcmread

    try:
        return dcmread(path)
    # Whatever a damaged file makes the parser raise.
    except Exception as error:
        raise broken_rule(path, "a DICOM file", reason(error), "remove it, or export it again") from error


def _volume(name: str, datasets: Sequence[Any], several: bool) -> Any:
    """The volume by highdicom: SimpleITK's reader warns of a gap at most, and fills it by wider slices."""
    from highdicom import Image, get_volume_from_series

    try:
        if several:
            return Image.from_dataset(datasets[0], copy=False).get_volume(**_PIXELS)
        return get_volume_from_series(datasets, orientation_tol=1e-4, **_PIXELS)
    except Exception as error:
        rule = "frames that make one volume" if several else "slices that make one volume"
        raise broken_rule(name, rule, reason(error), "export it as a series of its own, one file a slice") from error


def _columns_first(volume: Any) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Array and RAS affine in the order of NIfTI: columns, rows, and slices along the normal of their plane."""
    array = volume.array.transpose(2, 1, 0)
    affine = volume.affine[:, [2, 1, 0, 3]].astype(float)
    if np.linalg.det(affine) < 0:
        array = array[:, :, ::-1]
        affine[:, 3] += (array.shape[2] - 1) * affine[:, 2]
        affine[:, 2] *= -1
    return np.ascontiguousarray(array, dtype=np.float32), _LPS_TO_RAS @ affine
