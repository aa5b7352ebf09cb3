"""All series of a folder as NIfTI files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from monai_advdefense.dicom.find_series import SeriesFiles, find_series
from monai_advdefense.dicom.read_series import Series, read_series
from monai_advdefense.dicom.write_nifti import write_nifti
from monai_advdefense.errors import InputError
from monai_advdefense.input_paths import Inputs
from monai_advdefense.runs.shard import Shard

__all__ = ["Conversion", "ConvertedSeries", "convert"]


@dataclass(frozen=True)
class ConvertedSeries:
    """A series and the NIfTI file with its voxels.

    Attributes:
        source: name and DICOM files.
        nifti: NIfTI file.
        affine: voxel indices to mm in the patient, RAS, ``(4, 4)``.
    """

    source: SeriesFiles
    nifti: Path
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class Conversion:
    """What became of the series of a folder.

    Attributes:
        converted: those that are volumes.
        failures: the message about each of the others by its name.
    """

    converted: list[ConvertedSeries] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def convert(
    data: Inputs,
    work_dir: str | os.PathLike[str],
    *,
    exclude: str | os.PathLike[str] | None = None,
    shard: Shard | None = None,
) -> Conversion:
    """Write every series of a folder as ``work_dir/NAME.nii.gz``, one after the other; a broken one costs itself.

    A file that has the same voxels and affine already is left as it is.

    Args:
        data: file or folder that is searched with its subfolders, or several.
        work_dir: folder of the NIfTI files.
        exclude: folder inside ``data`` to leave out.
        shard: whose share of the series to convert; None converts all.

    Raises:
        InputError: if there is no DICOM file, or the extra ``dicom`` is not installed.
        OutputError: if a file cannot be written.
    """
    done = Conversion()
    for source in (shard or Shard()).share(find_series(data, exclude=exclude)):
        nifti = Path(work_dir, f"{source.name}.nii.gz")
        try:
            series = read_series(source.files, name=source.name)
            if not _is_written(series, nifti):
                write_nifti(series, nifti)
            done.converted.append(ConvertedSeries(source, nifti, series.affine))
        except InputError as error:
            done.failures[source.name] = str(error)
    return done


def _is_written(series: Series, nifti: Path) -> bool:
    try:
        volume = nib.load(nifti)
        affine = np.asarray(volume.affine, dtype=np.float32)
        same = np.array_equal(np.asarray(volume.dataobj), series.array)
        return same and np.array_equal(affine, series.affine.astype(np.float32))
    # Whatever is wrong with an older file: it is written again.
    except Exception:
        return False
