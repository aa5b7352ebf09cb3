"""Run a bundle on DICOM series, and give its answers as DICOM segmentations."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_advdefense.data.folder import volume_datalist
from monai_advdefense.dicom.convert import ConvertedSeries, convert
from monai_advdefense.dicom.write_segmentation import Answer, write_segmentation
from monai_advdefense.errors import AdvDefenseError, InputError
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.report import case_from_json
from monai_advdefense.report.provenance import BundleFacts, bundle_facts
from monai_advdefense.runs import Outputs

__all__ = ["check_input", "screen_series"]

WORK_FOLDER = "dicom"


def screen_series(
    data: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    run: Callable[[Path, list[Path]], None],
    *,
    metadata: str | os.PathLike[str],
) -> None:
    """Run a bundle on DICOM series, and write ``NAME_seg.dcm`` beside its results.

    The series are converted to NIfTI files in ``output_dir/dicom``, which stay there. A series that cannot be read
    costs itself: it is told on stderr, and the others go on.

    Args:
        data: folder with DICOM files, or one file.
        output_dir: folder of the results.
        run: takes the folder of the NIfTI files and their paths, and writes ``NAME_seg.nii.gz`` and
            ``NAME_scores.json`` below ``output_dir``.
        metadata: metadata.json of the bundle, for the names of its classes.

    Raises:
        InputError: if a series cannot be used; the others are written nevertheless.
        OutputError: if a result cannot be written.
    """
    check_input(data, output_dir)
    facts = bundle_facts(metadata)
    work_dir = Path(output_dir, WORK_FOLDER)
    conversion = convert(data, work_dir, exclude=output_dir)
    errors: list[AdvDefenseError] = []
    if conversion.failures:
        found, total = len(conversion.failures), len(conversion.failures) + len(conversion.converted)
        remedy = "see the lines that begin with failed:"
        errors.append(broken_rule(data, "DICOM series that can be read", f"{found} of {total} that cannot", remedy))
    for message in conversion.failures.values():
        _tell(message)
    if conversion.converted:
        try:
            run(work_dir, [each.nifti for each in conversion.converted])
        except InputError as error:
            errors.append(error)
    errors += _write_answers(conversion.converted, Path(output_dir), facts)
    if errors:
        raise errors[-1]


def check_input(data: str | os.PathLike[str], output_dir: str | os.PathLike[str] | None = None) -> None:
    """Check that a folder with DICOM files holds no NIfTI files, and is not that of the results.

    Raises:
        InputError: if it is.
    """
    root = Path(os.path.abspath(data))
    if not root.is_dir():
        return
    if output_dir is not None:
        real, results = Path(os.path.realpath(root)), Path(os.path.realpath(output_dir))
        if results == real or results in real.parents:
            raise broken_rule(root, "results outside the folder of inputs", "the same", "change the folder of results")
    try:
        first = volume_datalist(root, exclude=output_dir)[0]["image"]
    except InputError:
        return
    raise broken_rule(root, "DICOM series or NIfTI files", f"both, such as {first}", "screen them one after the other")


def _write_answers(converted: Sequence[ConvertedSeries], output_dir: Path, facts: BundleFacts) -> list[AdvDefenseError]:
    errors: list[AdvDefenseError] = []
    # It tells of every module that it copies.
    logging.getLogger("highdicom").setLevel(logging.WARNING)
    for series in converted:
        labels = output_dir / f"{series.source.name}_seg.nii.gz"
        # An older one belongs to other voxels.
        if not labels.is_file() or labels.stat().st_mtime_ns < series.nifti.stat().st_mtime_ns:
            continue
        target = labels.with_name(_dicom_name(labels))
        try:
            # An older answer must not stand beside newer labels.
            Outputs(series.nifti, output_dir).remove(target)
            write_segmentation(_answer(series, labels, facts), _headers(series.source.files), target)
            logging.getLogger(__name__).info("wrote %s", target)
        except AdvDefenseError as error:
            errors.append(error)
            _tell(reason(error))
    return errors


def _dicom_name(labels: Path) -> str:
    return labels.name.removesuffix(".nii.gz") + ".dcm"


def _answer(series: ConvertedSeries, labels: Path, facts: BundleFacts) -> Answer:
    record = labels.with_name(labels.name.replace("_seg.nii.gz", "_scores.json"))
    case = case_from_json(record.read_text(encoding="utf-8")) if record.is_file() else None
    return Answer(
        np.asarray(nib.load(labels).dataobj),
        series.affine,
        facts.class_names,
        verdict=case.headline if case else "",
        model=facts.model or "unknown",
        weights_sha256=case.provenance.weights_sha256 if case else None,
    )


def _headers(files: Sequence[Path]) -> list[Any]:
    from pydicom import dcmread

    return [dcmread(path, stop_before_pixels=True) for path in files]


def _tell(message: str) -> None:
    print(f"failed: {message}", file=sys.stderr, flush=True)
