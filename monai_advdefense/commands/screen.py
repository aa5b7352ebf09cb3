"""``advdefense screen``: segment brain volumes behind the guard."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from monai_advdefense.commands.options import (
    DEFENDED_SEGMENTER,
    add_bundle,
    add_fail_on_alarm,
    add_input_and_output,
    add_resume_and_shard,
    arguments_of,
)
from monai_advdefense.messages import broken_rule

__all__ = ["add_arguments", "run", "screen"]


def screen(
    data: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    bundle: str | os.PathLike[str] = DEFENDED_SEGMENTER,
    bundle_dir: str | os.PathLike[str] | None = None,
    device: str | None = None,
    screen_file: str | os.PathLike[str] | None = None,
    combined: bool = False,
    spectral: bool = False,
    resume: bool = True,
    shard: str | None = None,
    fail_on_alarm: bool = False,
) -> None:
    """Segment volumes behind the guard, and write segmentations, scores and reports.

    The same as ``monai.bundle run`` with the bundle's ``inference.json``.

    Args:
        data: a NIfTI file, or a folder that is searched with its subfolders; or DICOM series, which are converted in
            ``output_dir/dicom`` and get ``NAME_seg.dcm`` beside the other results.
        output_dir: folder of the results.
        bundle: name or folder of the bundle of guard and segmenter.
        bundle_dir: folder that holds it, see :func:`~monai_advdefense.bundle_tools.find_bundle.bundle_dirs`.
        device: such as ``"cuda:1"``; None takes a GPU where there is one.
        screen_file: file that ``advdefense calibrate`` has written, in place of the bundle's own screen.
        combined: decide by the sum of spectral and divergence score, slice by slice.
        spectral: decide by the paper's detector alone.
        resume: leave volumes as they are whose results are there, see :class:`~monai_advdefense.runs.Manifest`.
        shard: ``"I/N"``: take every N-th volume only, from the I-th on; :func:`~monai_advdefense.commands.merge.merge`
            reports on all.
        fail_on_alarm: raise a BatchError, when all is written, if more volumes are called other than clean than the
            calibrated rate allows; without this a line on stderr says so.

    Raises:
        InputError: if the bundle is not found, options exclude each other, or an input cannot be used; the other inputs
            are written nevertheless.
    """
    from monai_advdefense.bundle_tools.find_bundle import find_bundle
    from monai_advdefense.bundle_tools.run_bundle import run_bundle
    from monai_advdefense.dicom import holds_dicom, screen_series

    folder = find_bundle(bundle, bundle_dir)
    configs = ["inference", *_one_way(screen_file, combined=combined, spectral=spectral)]
    results = os.path.abspath(output_dir)
    file = None if screen_file is None else os.path.abspath(screen_file)

    def run_on(dataset_dir: str | os.PathLike[str], volumes: Sequence[Path] | None = None) -> None:
        items = None if volumes is None else [{"image": str(path)} for path in volumes]
        overrides = {"dataset_dir": os.path.abspath(dataset_dir), "output_dir": results, "device": device}
        given = {"dataset#data": items, "screen_path": file, "resume": resume, "shard": shard}
        given["fail_on_alarm"] = fail_on_alarm or None
        run_bundle(folder, configs, {**overrides, **given})

    if holds_dicom(data, exclude=results):
        if shard is not None:
            raise broken_rule("shard", "NIfTI files", "DICOM series", "give each run a folder of its own")
        screen_series(data, results, run_on, metadata=folder / "configs" / "metadata.json")
    else:
        run_on(data)


def _one_way(screen_file: object, **overlays: bool) -> list[str]:
    """The overlay that was chosen, if one was."""
    chosen = [name for name, on in overlays.items() if on]
    if len(chosen) + (screen_file is not None) > 1:
        found = ", ".join(f"--{name}" for name in [*chosen, *(["screen"] if screen_file else [])])
        raise broken_rule("options", "one way to decide", found, "leave out all but one")
    return chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    add_input_and_output(parser, inputs="NIfTI file or DICOM series, or a folder of them with subfolders")
    add_bundle(parser)
    parser.add_argument(
        "--screen",
        dest="screen_file",
        metavar="FILE",
        help="file of advdefense calibrate, in place of the bundle's own",
    )
    parser.add_argument("--combined", action="store_true", help="decide by the sum of two scores, slice by slice")
    parser.add_argument("--spectral", action="store_true", help="decide by the paper's detector alone")
    add_resume_and_shard(parser)
    add_fail_on_alarm(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    screen(**arguments_of(options))
