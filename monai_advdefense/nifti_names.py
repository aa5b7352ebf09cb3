"""Names of NIfTI files."""

from __future__ import annotations

__all__ = ["NIFTI_SUFFIXES", "nifti_stem"]

NIFTI_SUFFIXES = (".nii.gz", ".nii")


def nifti_stem(name: str) -> str:
    """The name of a volume without its ending; another name as it is.

    Example:
        >>> nifti_stem("a.nii.gz"), nifti_stem("a.NII"), nifti_stem("a.csv")
        ('a', 'a', 'a.csv')
    """
    return next((name[: -len(ending)] for ending in NIFTI_SUFFIXES if name.lower().endswith(ending)), name)
