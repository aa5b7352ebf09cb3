"""``advdefense guard``: put the guard in front of the network of another bundle."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_advdefense.commands.inputs import run_on_inputs
from monai_advdefense.commands.options import (
    DEFENDED_SEGMENTER,
    add_bundle_dir,
    add_config_files,
    add_fail_on_alarm,
    add_guard_settings,
    add_input_and_output,
    arguments_of,
)
from monai_advdefense.input_paths import Inputs
from monai_advdefense.messages import broken_rule

__all__ = ["add_arguments", "guard", "run"]


def guard(
    bundle: str | os.PathLike[str],
    data: Inputs,
    output_dir: str | os.PathLike[str],
    *,
    guard_bundle: str | os.PathLike[str] = DEFENDED_SEGMENTER,
    bundle_dir: str | os.PathLike[str] | None = None,
    config_files: Sequence[str | os.PathLike[str]] = ("inference",),
    device: str | None = None,
    screen_file: str | os.PathLike[str] | None = None,
    spectral: bool = False,
    fail_on_alarm: bool = False,
    **settings: Any,
) -> None:
    """Run the inference of a bundle with the guard in its transforms.

    The same as ``monai.bundle run`` with the bundle's ``inference.json`` and our ``guard.json``.

    Args:
        bundle: name or folder of the other bundle; its ``inference.json`` has the entries of MONAI's specification.
        config_files: those of the other bundle, later ones over earlier ones; names alone lie in its ``configs``. By
            default ``inference.json``.
        data: what it takes as ``dataset_dir``; several files or folders, or DICOM series, replace its list of inputs.
        output_dir: folder of the results.
        guard_bundle: name or folder of the bundle of the guard, whose ``guard.json`` is laid over the other.
        bundle_dir: folder that holds them, see :func:`~monai_advdefense.bundle_tools.find_bundle.bundle_dirs`.
        device: of the other bundle's network.
        screen_file: what ``calibrate`` with ``network`` has written; without it no volume is checked.
        spectral: decide by the paper's detector, and let its reformer change the image (``guard_spectral.json``).
        fail_on_alarm: raise a BatchError, when all is written, if too many volumes are suspicious.
        settings: of :class:`~monai_advdefense.bundle_tools.ScreenGuard`, such as ``label`` or ``value_range``.

    Raises:
        InputError: if a bundle is not found, a setting is unknown, an input cannot be used, the other bundle ends with
            an error of its own (the traceback is in ``output_dir/guard_error.txt``), or it writes nothing.
    """
    from monai_advdefense.bundle_tools.bundle_folder import config_files_of, merged_config
    from monai_advdefense.bundle_tools.find_bundle import find_bundle
    from monai_advdefense.bundle_tools.run_foreign_bundle import run_foreign_bundle

    if spectral and (screen_file is not None or fail_on_alarm):
        raise broken_rule("options", "one way to decide", "--spectral and --screen or --fail-on-alarm", "leave out one")
    folder, other = (find_bundle(each, bundle_dir) for each in (guard_bundle, bundle))
    results = os.path.abspath(output_dir)
    given: dict[str, Any] = {"output_dir": results, "device": device}
    given |= {"guard_dir": str(folder)} if spectral else {"fail_on_alarm": fail_on_alarm or None}
    configs = config_files_of(other, config_files)
    # Pages name the weights where the bundle says by an entry which it loads.
    if not spectral and "ckpt_path" in merged_config(configs):
        given["guard_report#weights"] = "@ckpt_path"
    if screen_file is not None:
        given["screen_path"] = os.path.abspath(screen_file)
    given |= {f"guard#{name}": value for name, value in settings.items()}
    overlays = config_files_of(folder, ["guard_spectral" if spectral else "guard"])

    def run_on(entries: Mapping[str, Any]) -> None:
        started = time.time()
        run_foreign_bundle(other, configs, overlays, {**entries, **given}, log=Path(results, "guard_error.txt"))
        _check_results(other, Path(results), started, entries["dataset_dir"])

    run_on_inputs(data, results, run_on)


def _check_results(bundle: Path, results: Path, since: float, data: str) -> None:
    """Check that a run has written something: a bundle may list no input without a word."""
    from monai_advdefense.dicom.run_on_series import WORK_FOLDER

    # File systems may round times, and converted series are no results.
    files = (path for path in results.rglob("*") if path.is_file() and results / WORK_FOLDER not in path.parents)
    if not any(path.stat().st_mtime > since - 2 for path in files):
        remedy = f"does {data} have the folders that its entry datalist names?"
        raise broken_rule(bundle, f"results in {results}", "none", remedy)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("bundle", metavar="BUNDLE", help="name or folder of the other bundle")
    add_input_and_output(parser)
    parser.add_argument(
        "--guard-bundle", default=DEFENDED_SEGMENTER, metavar="NAME", help="bundle of the guard (%(default)s)"
    )
    add_config_files(parser)
    add_bundle_dir(parser)
    parser.add_argument(
        "--screen", dest="screen_file", metavar="FILE", help="file of advdefense calibrate --network BUNDLE"
    )
    parser.add_argument("--spectral", action="store_true", help="decide by the paper's detector, for T1 brains of 1 mm")
    parser.add_argument("--label", type=int, metavar="N", help="value of rejected slices in the output (255)")
    add_guard_settings(parser)
    add_fail_on_alarm(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    guard(**arguments_of(options))
