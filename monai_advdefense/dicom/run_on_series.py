"""Run something that reads NIfTI on DICOM series."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from monai_advdefense.data.folder import volume_datalist
from monai_advdefense.dicom.convert import ConvertedSeries, convert
from monai_advdefense.dicom.libraries import quiet_libraries
from monai_advdefense.errors import AdvDefenseError, InputError
from monai_advdefense.input_paths import Inputs, input_folder, input_paths
from monai_advdefense.messages import broken_rule
from monai_advdefense.runs.shard import Shard

__all__ = ["WORK_FOLDER", "Run", "check_series_alone", "run_on_series", "tell"]

WORK_FOLDER = "dicom"

Run = Callable[[Path, Sequence[Path]], None]


def run_on_series(
    data: Inputs,
    output_dir: str | os.PathLike[str],
    run: Run,
    *,
    shard: Shard | None = None,
    exclude: str | os.PathLike[str] | None = None,
) -> tuple[list[ConvertedSeries], list[AdvDefenseError]]:
    """Convert DICOM series to NIfTI files in ``output_dir/dicom``, which stay there, and run on them.

    A series that cannot be read costs itself: it is told on stderr, and the others go on.

    Args:
        data: file or folder with DICOM files, or several.
        output_dir: folder of the results.
        run: takes the folder of the NIfTI files and their paths.
        shard: whose share of the series to take; None takes all.
        exclude: folder inside ``data`` to leave out.

    Returns:
        The series that were run on, and what is to be raised in the end.

    Raises:
        InputError: if there is no DICOM file, or the extra ``dicom`` is not installed.
        OutputError: if a file cannot be written.
    """
    quiet_libraries()
    work_dir = Path(output_dir, WORK_FOLDER)
    conversion = convert(data, work_dir, exclude=exclude, shard=shard)
    errors: list[AdvDefenseError] = []
    if conversion.failures:
        found, total = len(conversion.failures), len(conversion.failures) + len(conversion.converted)
        name, remedy = input_folder(input_paths(data)), "see the lines that begin with failed:"
        errors.append(broken_rule(name, "DICOM series that can be read", f"{found} of {total} that cannot", remedy))
    for message in conversion.failures.values():
        tell(message)
    if conversion.converted:
        try:
            run(work_dir, [each.nifti for each in conversion.converted])
        except InputError as error:
            errors.append(error)
    return conversion.converted, errors


def check_series_alone(data: Inputs, output_dir: str | os.PathLike[str] | None = None) -> None:
    """Check that folders with DICOM files hold no NIfTI files, and are not that of the results.

    Raises:
        InputError: if they do or are.
    """
    for root in input_paths(data):
        if output_dir is not None and root.is_dir():
            real, results = Path(os.path.realpath(root)), Path(os.path.realpath(output_dir))
            if results == real or results in real.parents:
                raise broken_rule(root, "results outside the folder of inputs", "the same", "change output_dir")
        if volumes := _volumes(root, output_dir):
            found = f"both, such as {volumes[0]['image']}"
            raise broken_rule(root, "DICOM series or NIfTI files", found, "give one kind after the other")


def _volumes(root: Path, exclude: str | os.PathLike[str] | None) -> list[dict[str, str]]:
    try:
        return volume_datalist(root, exclude=exclude) if root.is_dir() else []
    except InputError:
        return []


def tell(message: str) -> None:
    """Say on stderr that something failed."""
    print(f"failed: {message}", file=sys.stderr, flush=True)
