"""Run a bundle on DICOM series, and give its answers as DICOM segmentations and structured reports."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_advdefense.dicom.complete_header import complete_header
from monai_advdefense.dicom.convert import ConvertedSeries
from monai_advdefense.dicom.run_on_series import WORK_FOLDER, Run, check_series_alone, run_on_series, tell
from monai_advdefense.dicom.write_report import write_report
from monai_advdefense.dicom.write_segmentation import Answer, write_segmentation
from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.input_paths import Inputs
from monai_advdefense.messages import reason
from monai_advdefense.report import Case, case_from_json
from monai_advdefense.report.provenance import BundleFacts, bundle_facts
from monai_advdefense.runs import Outputs, Shard
from monai_advdefense.runs.manifest import written_since

__all__ = ["answer_series", "screen_series"]


def screen_series(
    data: Inputs,
    output_dir: str | os.PathLike[str],
    run: Run,
    *,
    metadata: str | os.PathLike[str],
    shard: Shard | None = None,
) -> None:
    """Run a bundle on DICOM series, and write ``NAME_seg.dcm`` and ``NAME_report.dcm`` beside its results.

    The series are converted to NIfTI files in ``output_dir/dicom``, which stay there. A series that cannot be read
    costs itself: it is told on stderr, and the others go on.

    Args:
        data: file or folder with DICOM files, or several.
        output_dir: folder of the results.
        run: takes the folder of the NIfTI files and their paths, and writes ``NAME_seg.nii.gz``,
            ``NAME_scores.json`` and a manifest below ``output_dir``.
        metadata: metadata.json of the bundle, for the names of its classes.
        shard: whose share of the series to take; None takes all.

    Raises:
        InputError: if a series cannot be used; the others are written nevertheless.
        OutputError: if a result cannot be written.
    """
    check_series_alone(data, output_dir)
    _, errors = answer_series(data, output_dir, run, metadata=metadata, shard=shard, exclude=output_dir)
    if errors:
        raise errors[-1]


def answer_series(
    data: Inputs,
    output_dir: str | os.PathLike[str],
    run: Run,
    *,
    metadata: str | os.PathLike[str],
    shard: Shard | None = None,
    exclude: str | os.PathLike[str] | None = None,
) -> tuple[list[Path], list[AdvDefenseError]]:
    """The same for series that may lie in the folder of the results; errors are returned.

    Args:
        data: as for :func:`screen_series`, like all that follow but the last.
        output_dir: folder of the results.
        run: what reads NIfTI.
        metadata: metadata.json of the bundle.
        shard: whose share to take.
        exclude: folder inside ``data`` to leave out.

    Returns:
        Segmentations and reports that were written, and what went wrong.
    """
    facts = bundle_facts(metadata)
    started = datetime.now(UTC).isoformat()
    converted, errors = run_on_series(data, output_dir, run, shard=shard, exclude=exclude)
    written = written_since(output_dir, started)
    answers: list[Path] = []
    for series in converted:
        # Results of a volume that failed are those of an earlier run.
        if os.path.abspath(series.nifti) in written:
            answers += _write_answers(series, Path(output_dir), facts, errors)
    return answers, errors


def _write_answers(
    series: ConvertedSeries, output_dir: Path, facts: BundleFacts, errors: list[AdvDefenseError]
) -> list[Path]:
    """Segmentation and report of one series; what cannot be written is told, and the other is written."""
    outputs = Outputs(output_dir / WORK_FOLDER, output_dir)
    endings = (("seg", ".nii.gz"), ("scores", ".json"), ("seg", ".dcm"), ("report", ".dcm"))
    labels, record, segmentation, report = (outputs.path(series.nifti, *ending) for ending in endings)
    with _told(errors):
        # An older answer must not stand beside newer labels.
        outputs.remove(segmentation, report)
        headers, case = _headers(series.source.files), _case(record)
        # Before both answers, which would tell the same.
        headers[0] = complete_header(headers[0], series.source.name, tell=_warn)
        with _told(errors):
            write_segmentation(_answer(series, labels, case, facts), headers, segmentation)
        if case is not None:
            told = _headers([segmentation])[0] if segmentation.is_file() else None
            write_report(case, headers, report, model=facts.model or "unknown", segmentation=told)
    written = [path for path in (segmentation, report) if path.is_file()]
    for path in written:
        logging.getLogger(__name__).info("wrote %s", path)
    return written


@contextmanager
def _told(errors: list[AdvDefenseError]) -> Iterator[None]:
    """Tell an error of the block, so that the others go on."""
    try:
        yield
    except AdvDefenseError as error:
        errors.append(error)
        tell(reason(error))


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr, flush=True)


def _case(record: Path) -> Case | None:
    """What the guard has found; None if it has not said."""
    return case_from_json(record.read_text(encoding="utf-8"), path=record) if record.is_file() else None


def _answer(series: ConvertedSeries, labels: Path, case: Case | None, facts: BundleFacts) -> Answer:
    return Answer(
        np.asarray(nib.load(labels).dataobj),  # type: ignore[attr-defined]
        series.affine,
        facts.class_names,
        verdict=case.headline if case else "",
        model=facts.model or "unknown",
        weights_sha256=case.provenance.weights_sha256 if case else None,
    )


def _headers(files: Sequence[Path]) -> list[Any]:
    from pydicom import dcmread

    return [dcmread(path, stop_before_pixels=True) for path in files]
