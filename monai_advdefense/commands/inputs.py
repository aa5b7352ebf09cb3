"""How a verb takes its inputs: one or several, NIfTI or DICOM."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_advdefense.input_paths import Inputs, check_exists, input_folder, input_paths
from monai_advdefense.messages import broken_rule

__all__ = ["dataset_entries", "run_on_inputs", "series_entries"]


def run_on_inputs(data: Inputs, output_dir: str | os.PathLike[str], run: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a bundle on NIfTI files, or on what DICOM series are as such.

    Args:
        data: file or folder, or several.
        output_dir: folder of the results; series are converted in its folder ``dicom``.
        run: takes the entries of the configuration that tell the inputs.

    Raises:
        InputError: if an input cannot be used; the others are written nevertheless.
        OutputError: if a result cannot be written.
    """
    from monai_advdefense.dicom import check_series_alone, holds_dicom, run_on_series

    if not holds_dicom(data, exclude=output_dir):
        run(dataset_entries(data, exclude=output_dir))
        return
    check_series_alone(data, output_dir)
    _, errors = run_on_series(
        data, output_dir, lambda folder, volumes: run(series_entries(folder, volumes)), exclude=output_dir
    )
    if errors:
        raise errors[-1]


def dataset_entries(data: Inputs, *, exclude: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Entries of a configuration for NIfTI inputs: a folder or file alone is left to the bundle to list.

    Raises:
        InputError: if there is nothing at a path, it is that of the results, there are several and one cannot be
            listed, or one is named twice.
    """
    from monai_advdefense.data.folder import volume_datalist

    paths = input_paths(data)
    if len(paths) == 1:
        check_exists(paths[0])
        if exclude is not None and os.path.realpath(exclude) == os.path.realpath(paths[0]):
            raise broken_rule(paths[0], "results outside the folder of inputs", "the same", "change output_dir")
        # Other bundles may append names to it.
        given = str(data if isinstance(data, (str, os.PathLike)) else data[0])
        return {"dataset_dir": os.path.join(paths[0], "") if given.endswith(os.sep) else str(paths[0])}
    return {"dataset_dir": str(input_folder(paths)), "dataset#data": volume_datalist(data, exclude=exclude)}


def series_entries(folder: Path, volumes: Sequence[Path]) -> dict[str, Any]:
    """Entries of a configuration for volumes in a folder."""
    return {"dataset_dir": os.path.abspath(folder), "dataset#data": [{"image": str(path)} for path in volumes]}
