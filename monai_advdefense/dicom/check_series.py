"""Check DICOM series as every run does."""

from __future__ import annotations

import tempfile

from monai_advdefense.data.checks import check_volume_file
from monai_advdefense.dicom.convert import convert
from monai_advdefense.errors import InputError
from monai_advdefense.input_paths import Inputs

__all__ = ["check_series"]


def check_series(data: Inputs) -> dict[str, str | None]:
    """Check that series can be read, and that the volumes can be used.

    Args:
        data: file or folder with DICOM files, or several.

    Returns:
        For the name of each series None, or the one line that says what is wrong and what to do.

    Raises:
        InputError: if there is no DICOM file, or the extra ``dicom`` is not installed.
    """
    with tempfile.TemporaryDirectory() as work_dir:
        conversion = convert(data, work_dir)
        found: dict[str, str | None] = dict(conversion.failures)
        for series in conversion.converted:
            name = series.source.name
            try:
                check_volume_file(series.nifti)
                found[name] = None
            except InputError as error:
                found[name] = str(error).replace(str(series.nifti), name)
    return dict(sorted(found.items()))
