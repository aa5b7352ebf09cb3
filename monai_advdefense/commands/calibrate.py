"""``advdefense calibrate``: fit the screen of the guard on clean volumes of one's own."""

from __future__ import annotations

import argparse
import os

from monai_advdefense.commands.options import DEFENDED_SEGMENTER, add_bundle, arguments_of

__all__ = ["add_arguments", "calibrate", "run"]


def calibrate(
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    false_alarm_rate: float = 0.03,
    volume_rate: float = 0.05,
    bundle: str | os.PathLike[str] = DEFENDED_SEGMENTER,
    bundle_dir: str | os.PathLike[str] | None = None,
    device: str | None = None,
) -> None:
    """Fit scores, thresholds and verdicts of the screen on clean volumes; nothing is trained and no label is needed.

    Each file counts as a subject of its own. The same as ``monai.bundle run`` with the bundle's ``inference.json`` and
    ``calibrate.json``, whose entry ``clean_volumes`` may say whose each volume is.

    Args:
        data: a folder of clean volumes that is searched with its subfolders.
        output: file of the screen, for ``advdefense screen --screen``; a record of the calibration lies beside it.
        false_alarm_rate: share of clean slices that may be rejected.
        volume_rate: share of clean volumes that may be called other than clean.
        bundle: name or folder of the bundle of guard and segmenter.
        bundle_dir: folder that holds it, see :func:`~monai_advdefense.bundle_tools.find_bundle.bundle_dirs`.
        device: such as ``"cuda:1"``; None takes a GPU where there is one.

    Raises:
        InputError: if the bundle is not found, or a volume cannot be used.
        CalibrationError: if there are fewer volumes than ``volume_rate`` needs.
    """
    from monai_advdefense.bundle_tools.find_bundle import find_bundle
    from monai_advdefense.bundle_tools.run_bundle import run_bundle
    from monai_advdefense.data.folder import volume_datalist
    from monai_advdefense.guard.fit_screen import check_subjects

    # Before minutes are spent on volumes that are too few.
    check_subjects(len(volume_datalist(data)), volume_rate)
    run_bundle(
        find_bundle(bundle, bundle_dir),
        ["inference", "calibrate"],
        {
            "clean_volumes": os.path.abspath(data),
            "dataset_dir": os.path.abspath(data),
            "screen_path": os.path.abspath(output),
            "false_positive_rate": false_alarm_rate,
            "volume_rate": volume_rate,
            "device": device,
        },
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("input", metavar="INPUT", help="folder of clean volumes, one of each subject")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="file of the screen, such as screen.pt")
    parser.add_argument(
        "--false-alarm-rate", type=float, default=0.03, metavar="R", help="of clean slices (%(default)s)"
    )
    parser.add_argument(
        "--volume-rate", type=float, default=0.05, metavar="R", help="of clean volumes; 0.05 needs 19 (%(default)s)"
    )
    add_bundle(parser)
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:1; a GPU by default where there is one")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    calibrate(**arguments_of(options))
