"""The verdict about a series as a DICOM structured report."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from monai_advdefense import __version__
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.dicom.complete_header import LONG_STRING, complete_header
from monai_advdefense.dicom.libraries import check_libraries
from monai_advdefense.dicom.structure_codes import PRIVATE_SCHEME
from monai_advdefense.errors import OutputError
from monai_advdefense.guard.causes import cause_in_words
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.report import Case, case_to_json

__all__ = ["write_report"]

_VERDICTS = {
    "clean": "Clean",
    "review": "Look at it",
    "reject": "Do not use it",
    "not_checked": "Could not be checked",
}
_NO_UNIT = ("1", "UCUM", "no units")
_SLICES = ("{slices}", "UCUM", "slices")
_MM = ("mm", "UCUM", "mm")
# Both measure from the middle of the patient, but DICOM to the left and to the back.
_SIGNS = {"x": -1.0, "y": -1.0, "z": 1.0}


def write_report(
    case: Case,
    headers: Sequence[Any],
    path: str | os.PathLike[str],
    *,
    model: str = "unknown",
    segmentation: Any = None,
) -> None:
    """Write verdict, cause, numbers and rejected slices as a structured report (Comprehensive SR, template TID 1500).

    Values of the headers that the standard forbids and highdicom cannot take over are left empty or out with a warning.

    Args:
        case: what the guard has found.
        headers: data sets of the source series, see :class:`~monai_advdefense.dicom.read_series.Series`.
        path: file to write; missing folders are made.
        model: name and version of the model.
        segmentation: data set of the segmentation to refer to; None if there is none.

    Raises:
        OutputError: if the patient's ID cannot be decoded, or the file cannot be written; nothing incomplete is left
            behind.
    """
    check_libraries()
    # Patient and study are taken from the first.
    headers = [complete_header(headers[0], path), *headers[1:]]
    try:
        report = _report(case, headers, model, segmentation)
    # A header of another maker can lack anything that the standard asks for.
    except Exception as error:
        found = f"{type(error).__name__}: {reason(error)}"
        remedy = "the headers of the series may lack what the standard asks for; the other results are not affected"
        raise broken_rule(path, "to make a structured report", found, remedy, error=OutputError) from error
    with atomic_path(path) as temporary:
        report.save_as(temporary, enforce_file_format=True)


def _report(case: Case, headers: Sequence[Any], model: str, segmentation: Any) -> Any:
    from highdicom.sr import ComprehensiveSR
    from pydicom.uid import generate_uid

    # The same finding about the same series has the same UIDs, whenever and wherever it was made.
    finding = case_to_json(dataclasses.replace(case, created="", input_path="", segmentation_path=""))
    sources = [*sorted(str(each.SOPInstanceUID) for each in headers), finding, model, __version__]
    report = ComprehensiveSR(
        evidence=[*headers, *([] if segmentation is None else [segmentation])],
        content=_content(case, headers, model, generate_uid(entropy_srcs=["device", model])),
        series_instance_uid=generate_uid(entropy_srcs=["report series", *sources]),
        series_number=max(int(headers[0].get("SeriesNumber") or 0) + 2000, 1),
        sop_instance_uid=generate_uid(entropy_srcs=["report", *sources]),
        instance_number=1,
        manufacturer="monai_advdefense",
        is_complete=True,
    )
    report.SeriesDescription = f"monai_advdefense: {case.headline}"[:LONG_STRING]
    report.ManufacturerModelName, report.SoftwareVersions = model[:LONG_STRING], __version__
    return report


def _content(case: Case, headers: Sequence[Any], model: str, device: str) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    observer = sr.ObserverContext(codes.DCM.Device, sr.DeviceObserverIdentifyingAttributes(device, model))
    group = sr.MeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(device, "monai_advdefense"),
        algorithm_id=sr.AlgorithmIdentification(model, __version__),
        measurements=[*_numbers(case), *_rejected_slices(case, headers)],
        qualitative_evaluations=[sr.QualitativeEvaluation(_concept(*name), _concept(*v)) for name, v in _words(case)],
    )
    return sr.MeasurementReport(
        sr.ObservationContext(observer), codes.DCM.QualityControl, [group], title=codes.DCM.ImagingMeasurementReport
    )[0]


def _words(case: Case) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    yield ("verdict", "Verdict of the guard"), (case.verdict, _VERDICTS[case.verdict])
    if case.found is not None and case.found.cause:
        yield ("cause", "Likely cause"), (case.found.cause, cause_in_words(case.found.cause))


def _numbers(case: Case) -> list[Any]:
    found, dice = case.found, case.dice.volume[0] if case.dice else math.nan
    numbers = [
        ("checked", "Slices compared with the threshold", case.checked, _SLICES),
        ("rejected", "Slices rejected", case.count("rejected"), _SLICES),
        ("expected", "Rejected slices of a clean volume", found.expected_rejected if found else math.nan, _SLICES),
        ("p_value", "Probability that a clean volume is as suspicious", found.p_value if found else math.nan, _NO_UNIT),
        ("predicted_dice", "Predicted mean Dice", dice, _NO_UNIT),
        ("threshold", "Highest score that is accepted", case.threshold, _NO_UNIT),
    ]
    return [_measurement(*number) for number in numbers if math.isfinite(number[2])]


def _rejected_slices(case: Case, headers: Sequence[Any]) -> Iterator[Any]:
    """Where each rejected slice lies, with the image at that place if the series was taken in the same plane."""
    from highdicom.sr import SourceImageForMeasurement

    axis, sign = case.position_axis, _SIGNS[case.position_axis]
    images: dict[int | None, tuple[str, str]] = dict(enumerate(_images_along(headers, "xyz".index(axis))))
    for record in case.slices:
        if record.decision != "rejected":
            continue
        # Corners of oblique images lie elsewhere along the axis than their middles: only the number tells.
        image = images.get(record.input_index)
        found = None if image is None else [SourceImageForMeasurement(*image)]
        meaning = f"Place of a rejected slice, patient axis {axis}"
        yield _measurement(f"rejected_at_{axis}", meaning, sign * record.position_mm, _MM, referenced_images=found)


def _images_along(headers: Sequence[Any], axis: int) -> list[tuple[str, str]]:
    """Class and UID of each image of a series in the order of its slices; none if these are not across the axis."""
    if "ImageOrientationPatient" not in headers[0]:
        return []
    direction = np.array(headers[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(direction[:3], direction[3:])
    if np.abs(normal).argmax() != axis:
        return []
    in_order = sorted(headers, key=lambda each: float(np.dot(normal, np.array(each.ImagePositionPatient, dtype=float))))
    return [(each.SOPClassUID, each.SOPInstanceUID) for each in in_order]


def _measurement(value: str, meaning: str, number: float, unit: tuple[str, str, str], **arguments: Any) -> Any:
    from highdicom.sr import CodedConcept, Measurement

    return Measurement(_concept(value, meaning), float(f"{number:.6g}"), CodedConcept(*unit), **arguments)


def _concept(value: str, meaning: str) -> Any:
    """A concept of this package; a code value has 16 characters at most, a meaning 64."""
    from highdicom.sr import CodedConcept

    return CodedConcept(value[:16], PRIVATE_SCHEME, meaning[:LONG_STRING])
