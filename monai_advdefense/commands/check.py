"""``advdefense check``: check that files can be used, without any network; or what a bundle is about to run."""

from __future__ import annotations

import argparse
import os

from monai_advdefense.commands.options import INPUT
from monai_advdefense.errors import InputError
from monai_advdefense.input_paths import Inputs, input_paths
from monai_advdefense.messages import some_failed

__all__ = ["add_arguments", "check", "run"]


def check(data: Inputs) -> dict[str, str | None]:
    """Check volumes as every run does before it computes anything.

    Args:
        data: NIfTI file or DICOM series, or a folder that is searched with its subfolders, or several. Of bundles,
            which may be named, the configurations are read, see
            :func:`~monai_advdefense.bundle_tools.check_configs.check_configs`.

    Returns:
        For each absolute path, or name of a series, None, or the one line that says what is wrong and what to do.

    Raises:
        InputError: if there is no volume.
    """
    from monai_advdefense.bundle_tools.check_configs import check_configs, is_bundle
    from monai_advdefense.data.checks import check_volume_file
    from monai_advdefense.data.folder import volume_datalist
    from monai_advdefense.dicom import check_series, check_series_alone, holds_dicom

    given = [data] if isinstance(data, (str, os.PathLike)) else data
    paths = input_paths([_bundle_or_file(path) for path in given])
    if all(is_bundle(path) for path in paths):
        return {file: found for path in paths for file, found in check_configs(path).items()}
    if holds_dicom(data):
        check_series_alone(data)
        return check_series(data)
    found: dict[str, str | None] = {}
    for case in volume_datalist(data):
        try:
            check_volume_file(case["image"])
            found[case["image"]] = None
        except InputError as error:
            found[case["image"]] = str(error)
    return found


def _bundle_or_file(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The folder of a bundle that is only named; any other path as it is."""
    from monai_advdefense.bundle_tools.find_bundle import find_bundle

    if os.path.exists(path) or os.sep in str(path):
        return path
    try:
        return find_bundle(path)
    except InputError:
        return path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("input", metavar="INPUT", nargs="+", help=f"{INPUT}; or bundles")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    found = check(options.input)
    failures = [message for message in found.values() if message]
    for path, message in found.items():
        print(f"failed: {message}" if message else f"ok: {path}")
    print(f"{len(found) - len(failures)} of {len(found)} inputs can be used")
    if failures:
        raise some_failed(failures, len(failures), len(found), "inputs")
