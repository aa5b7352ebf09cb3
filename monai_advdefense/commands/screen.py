"""``advdefense screen``: segment brain volumes behind the guard."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_advdefense.commands.inputs import dataset_entries, series_entries
from monai_advdefense.commands.options import (
    DEFENDED_SEGMENTER,
    add_bundle,
    add_fail_on_alarm,
    add_input_and_output,
    add_resume_and_shard,
    arguments_of,
)
from monai_advdefense.input_paths import Inputs
from monai_advdefense.messages import broken_rule

__all__ = ["add_arguments", "run", "screen"]


def screen(
    data: Inputs | None,
    output_dir: str | os.PathLike[str],
    *,
    pacs: str | None = None,
    study: str | None = None,
    bundle: str | os.PathLike[str] = DEFENDED_SEGMENTER,
    bundle_dir: str | os.PathLike[str] | None = None,
    config_files: Sequence[str | os.PathLike[str]] = ("inference",),
    device: str | None = None,
    screen_file: str | os.PathLike[str] | None = None,
    combined: bool = False,
    spectral: bool = False,
    resume: bool = True,
    shard: str | None = None,
    engine: str | None = None,
    workers: int | None = None,
    fail_on_alarm: bool = False,
) -> None:
    """Segment volumes behind the guard, and write segmentations, scores and reports.

    The same as ``monai.bundle run`` with the bundle's ``inference.json``.

    Args:
        data: NIfTI file or DICOM series, or a folder that is searched with its subfolders, or several. Series are
            converted in ``output_dir/dicom`` and get ``NAME_seg.dcm`` and ``NAME_report.dcm`` beside the other results.
        output_dir: folder of the results.
        pacs: URL of the DICOMweb service of an archive that holds the input, in place of ``data``.
        study: Study Instance UID of the input there; answers are stored in the same study.
        bundle: name or folder of the bundle of guard and segmenter.
        bundle_dir: folder that holds it, see :func:`~monai_advdefense.bundle_tools.find_bundle.bundle_dirs`.
        config_files: its configurations, later ones over earlier ones, see
            :func:`~monai_advdefense.bundle_tools.bundle_folder.config_files_of`.
        device: such as ``"cuda:1"``; None takes a GPU where there is one.
        screen_file: file that ``advdefense calibrate`` has written, in place of the bundle's own screen.
        combined: decide by the sum of spectral and divergence score, slice by slice.
        spectral: decide by the paper's detector alone.
        resume: leave volumes as they are whose results are there, see :class:`~monai_advdefense.runs.Manifest`.
        shard: ``"I/N"``: take every N-th volume only, from the I-th on; :func:`~monai_advdefense.commands.merge.merge`
            reports on all.
        engine: ``"ray"`` has several workers share the volumes, see :func:`~monai_advdefense.cluster.run_on_ray`; None
            does all in this process.
        workers: their number, 2 or more; None takes one for each GPU, or else for each CPU.
        fail_on_alarm: raise a BatchError, when all is written, if more volumes are called other than clean than the
            calibrated rate allows; without this a line on stderr says so.

    Raises:
        InputError: if the bundle is not found, options exclude each other, or an input cannot be used; the other inputs
            are written nevertheless.
    """
    from monai_advdefense.bundle_tools.bundle_folder import config_files_of
    from monai_advdefense.bundle_tools.find_bundle import find_bundle
    from monai_advdefense.bundle_tools.run_bundle import run_bundle
    from monai_advdefense.cluster import run_on_ray

    _check_source(data, pacs, study, shard)
    _check_engine(engine, workers, device, shard, resume=resume)
    folder = find_bundle(bundle, bundle_dir)
    overlays = _one_way(screen_file, combined=combined, spectral=spectral)
    configs = config_files_of(folder, (*config_files, *overlays))
    _check_guarded(folder, configs)
    results = os.path.abspath(output_dir)
    given = {
        "output_dir": results,
        "device": device,
        "screen_path": None if screen_file is None else os.path.abspath(screen_file),
        "resume": resume,
        "shard": shard,
        "fail_on_alarm": fail_on_alarm or None,
    }

    def run_on(entries: Mapping[str, Any]) -> None:
        if engine == "ray":
            run_on_ray(folder, configs, {**entries, **given}, workers=workers)
        else:
            run_bundle(folder, configs, {**entries, **given})

    _screen(data, results, run_on, pacs=pacs, study=study, shard=shard, metadata=folder / "configs" / "metadata.json")


def _screen(
    data: Inputs | None,
    results: str,
    run: Callable[[Mapping[str, Any]], None],
    *,
    pacs: str | None,
    study: str | None,
    shard: str | None,
    metadata: Path,
) -> None:
    """Run on files, on series, or on a study of an archive."""
    from monai_advdefense.dicom import Archive, holds_dicom, screen_series, screen_study
    from monai_advdefense.runs import Shard

    part = None if shard is None else Shard.parse(shard)

    def run_on_series(work_dir: Path, volumes: Sequence[Path]) -> None:
        # The bundle takes its share of a list once more.
        run(series_entries(work_dir, volumes if part is None else part.spread(volumes)))

    if pacs is not None and study is not None:
        screen_study(Archive(pacs), study, results, run_on_series, metadata=metadata)
    elif data and holds_dicom(data, exclude=results):
        screen_series(data, results, run_on_series, metadata=metadata, shard=part)
    elif data:
        run(dataset_entries(data, exclude=results))


def _check_guarded(bundle: Path, configs: Sequence[Path]) -> None:
    """Check that a bundle holds a guard: without one its labels would look like those of screened volumes."""
    from monai_advdefense.bundle_tools.bundle_folder import is_guarded, merged_config

    if not is_guarded(merged_config(configs)):
        remedy = "put one in front of it: see advdefense guard --help"
        raise broken_rule(bundle, "a bundle of guard and segmenter", "one without a guard", remedy)


def _check_source(data: Inputs | None, pacs: str | None, study: str | None, shard: str | None) -> None:
    """Check that the input is told in one way."""
    if not data and pacs is None:
        raise broken_rule("INPUT", "files, or --pacs and --study", "neither", "name what to screen")
    if data and pacs is not None:
        raise broken_rule("INPUT", "files, or --pacs and --study", "both", "leave out one of them")
    if (pacs is None) != (study is None):
        raise broken_rule("options", "--pacs and --study together", "one of them", "add the other")
    if pacs is not None and shard is not None:
        raise broken_rule("shard", "files", "a study of an archive", "leave it out")


def _check_engine(
    engine: str | None, workers: int | None, device: str | None, shard: str | None, *, resume: bool
) -> None:
    """Check that who shares the volumes is told in one way, and that a worker can have the device."""
    if engine not in (None, "ray"):
        raise broken_rule("engine", "ray", engine, "leave it out for a single process")
    if engine is None and workers is not None:
        raise broken_rule("options", "--workers with --engine", "it alone", "add --engine ray")
    if engine is not None and shard is not None:
        raise broken_rule("options", "--engine or --shard", "both", "leave out one: workers are shards")
    if engine is not None and not resume:
        remedy = "name a new folder of results: a worker that died goes on by what it finds there"
        raise broken_rule("options", "--engine or --no-resume", "both", remedy)
    if engine is not None and device not in (None, "cpu", "cuda"):
        raise broken_rule("device", "cpu or cuda", device, "each worker of an engine has one GPU, its cuda")


def _one_way(screen_file: object, **overlays: bool) -> list[str]:
    """The overlay that was chosen, if one was."""
    chosen = [name for name, on in overlays.items() if on]
    if len(chosen) + (screen_file is not None) > 1:
        found = ", ".join(f"--{name}" for name in [*chosen, *(["screen"] if screen_file else [])])
        raise broken_rule("options", "one way to decide", found, "leave out all but one")
    return chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    add_input_and_output(parser, nargs="*")
    parser.add_argument("--pacs", metavar="URL", help="DICOMweb service of an archive, in place of INPUT")
    parser.add_argument("--study", metavar="UID", help="Study Instance UID there; answers are stored in the same study")
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
    parser.add_argument(
        "--engine", choices=["ray"], help="have several workers share the volumes, of RAY_ADDRESS or here"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="their number (one for each GPU, or else each CPU)")
    add_fail_on_alarm(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    screen(**arguments_of(options))
