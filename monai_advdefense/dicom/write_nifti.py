"""A DICOM series as a NIfTI file."""

from __future__ import annotations

import os

import nibabel as nib

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.dicom.read_series import Series

__all__ = ["write_nifti"]


def write_nifti(series: Series, path: str | os.PathLike[str]) -> None:
    """Write a series as NIfTI: float32, qform and sform of the scanner, millimetres.

    Args:
        series: volume with its affine.
        path: ``.nii`` or ``.nii.gz`` file to write; missing folders are made.

    Raises:
        OutputError: if it cannot be written; nothing incomplete is left behind.
    """
    image = nib.Nifti1Image(series.array, series.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(series.affine, "scanner")
    image.set_qform(series.affine, "scanner")
    with atomic_path(path) as temporary:
        nib.save(image, temporary)
