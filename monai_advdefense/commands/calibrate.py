"""``advdefense calibrate``: fit the screen of the guard on clean volumes of one's own."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai_advdefense.commands.inputs import dataset_entries
from monai_advdefense.commands.options import (
    DEFENDED_SEGMENTER,
    INPUT,
    add_bundle,
    add_device,
    add_guard_settings,
    arguments_of,
)
from monai_advdefense.input_paths import Inputs, input_folder, input_paths
from monai_advdefense.messages import broken_rule, some_failed
from monai_advdefense.nifti_names import nifti_stem

__all__ = ["add_arguments", "calibrate", "run"]


def calibrate(
    data: Inputs,
    output: str | os.PathLike[str],
    *,
    false_alarm_rate: float = 0.03,
    volume_rate: float = 0.05,
    bundle: str | os.PathLike[str] = DEFENDED_SEGMENTER,
    bundle_dir: str | os.PathLike[str] | None = None,
    config_files: Sequence[str | os.PathLike[str]] = ("inference",),
    device: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    network: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> None:
    """Fit scores, thresholds and verdicts of the screen on clean volumes; nothing is trained and no label is needed.

    Each file counts as a subject of its own. With labels of at least 9 volumes the Dice of new volumes is predicted as
    well. The same as ``monai.bundle run`` with the bundle's ``inference.json`` and ``calibrate.json``, whose entry
    ``clean_volumes`` may say whose each volume is.

    Args:
        data: folder of clean volumes, NIfTI or DICOM, that is searched with its subfolders, or several.
        output: file of the screen, for ``advdefense screen --screen``; a record of the calibration lies beside it.
        false_alarm_rate: share of clean slices that may be rejected.
        volume_rate: share of clean volumes that may be called other than clean.
        bundle: name or folder of the bundle of guard and segmenter.
        bundle_dir: folder that holds it, see :func:`~monai_advdefense.bundle_tools.find_bundle.bundle_dirs`.
        config_files: its configurations, with ``network`` those of the other bundle, later ones over earlier ones;
            names alone lie in its ``configs``. By default ``inference.json``.
        device: such as ``"cuda:1"``; None takes a GPU where there is one.
        labels: folder of label maps in NIfTI, each named as its volume, that hold the classes of the segmenter; volumes
            may lack theirs.
        network: name or folder of another bundle, for whose network the screen shall be fitted; its ``inference.json``
            takes ``data`` as ``dataset_dir``, and ``bundle`` gives only the overlays.
        settings: with ``network``, those of :class:`~monai_advdefense.bundle_tools.ScreenGuard`.

    Raises:
        InputError: if the bundle is not found, a volume or a label cannot be used, or the other bundle ends with an
            error of its own (the traceback lies beside ``output``, with the ending ``.error.txt``).
        CalibrationError: if there are fewer volumes than ``volume_rate`` needs.
    """
    from monai_advdefense.bundle_tools.bundle_folder import config_files_of
    from monai_advdefense.bundle_tools.find_bundle import find_bundle
    from monai_advdefense.bundle_tools.run_bundle import run_bundle
    from monai_advdefense.guard.fit_screen import check_subjects

    rates = {"false_positive_rate": false_alarm_rate, "volume_rate": volume_rate, "device": device}
    folder, given = find_bundle(bundle, bundle_dir), {"screen_path": os.path.abspath(output), **rates}
    if network is not None:
        from monai_advdefense.bundle_tools.run_foreign_bundle import run_foreign_bundle

        _refuse_settings({"labels": labels}, "no --network beside it", "Dice is predicted of the guard's own segmenter")
        overlays = config_files_of(folder, ["guard", "guard_calibrate"])
        own = {f"guard#{name}": value for name, value in settings.items()}
        other = find_bundle(network, bundle_dir)
        configs, log = config_files_of(other, config_files), Path(os.path.abspath(output)).with_suffix(".error.txt")
        # What else the bundle writes would hide volumes from a second fit, if it goes on where it was stopped.
        with tempfile.TemporaryDirectory() as work_dir:
            entries = {**dataset_entries(data), **given, **own, "output_dir": work_dir}
            run_foreign_bundle(other, configs, overlays, entries, log=log)
        return
    _refuse_settings(settings, "--network beside it", "the bundle itself says how its slices are cut")
    with _clean_volumes(data) as found:
        volumes = found if labels is None else _labelled(found, Path(labels))
        # Before minutes are spent on volumes that are too few.
        check_subjects(len(volumes), volume_rate)
        inputs = str(input_folder(input_paths(data)))
        configs = config_files_of(folder, (*config_files, "calibrate"))
        run_bundle(folder, configs, {"clean_volumes": volumes, "dataset_dir": inputs, **given})


@contextmanager
def _clean_volumes(data: Inputs) -> Iterator[list[dict[str, str]]]:
    """NIfTI files, or DICOM series as such while the block lasts."""
    from monai_advdefense.data.folder import volume_datalist
    from monai_advdefense.dicom import check_series_alone, convert, holds_dicom

    if not holds_dicom(data):
        yield volume_datalist(data)
        return
    check_series_alone(data)
    with tempfile.TemporaryDirectory() as work_dir:
        conversion = convert(data, work_dir)
        if failures := [*conversion.failures.values()]:
            raise some_failed(failures, len(failures), len(failures) + len(conversion.converted), "series")
        yield [{"image": str(each.nifti)} for each in conversion.converted]


def _labelled(volumes: list[dict[str, str]], folder: Path) -> list[dict[str, str]]:
    """The volumes with the paths of their labels, where there are some."""
    found = sorted(folder.glob("*.nii*"))
    labels = {nifti_stem(path.name): str(path) for path in found}
    stems = [nifti_stem(Path(volume["image"]).name) for volume in volumes]
    _check_once("volumes", [volume["image"] for volume in volumes])
    _check_once("labels", found)
    if not labels.keys() & set(stems):
        other = f"{len(labels)} other NIfTI files"
        raise broken_rule(folder, f"label maps named as the volumes, such as {stems[0]}.nii.gz", other, "rename them")
    return [
        {**volume, "label": labels[stem]} if stem in labels else volume
        for volume, stem in zip(volumes, stems, strict=True)
    ]


def _check_once(what: str, paths: Iterable[str | Path]) -> None:
    """Names alone tell which label belongs to which volume, so that none may occur twice."""
    first: dict[str, str | Path] = {}
    for path in paths:
        other = first.setdefault(nifti_stem(Path(path).name), path)
        if other is not path:
            raise broken_rule("--labels", f"{what} of different names", f"{other} and {path}", "rename one of them")


def _refuse_settings(settings: Mapping[str, Any], rule: str, remedy: str) -> None:
    """What would change nothing must not be given."""
    for name, value in settings.items():
        if value is not None:
            raise broken_rule(f"--{name.replace('_', '-')}", rule, value, remedy)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("input", metavar="INPUT", nargs="+", help=f"clean volumes, one of each subject: {INPUT}")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="file of the screen, such as screen.pt")
    parser.add_argument(
        "--false-alarm-rate", type=float, default=0.03, metavar="R", help="of clean slices (%(default)s)"
    )
    parser.add_argument(
        "--volume-rate", type=float, default=0.05, metavar="R", help="of clean volumes; 0.05 needs 19 (%(default)s)"
    )
    parser.add_argument(
        "--labels", metavar="DIR", help="label maps named as the volumes: Dice is predicted as well, from 9 on"
    )
    add_bundle(parser)
    parser.add_argument("--network", metavar="BUNDLE", help="another bundle, whose network is to be guarded")
    add_guard_settings(parser)
    add_device(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    calibrate(**arguments_of(options))
