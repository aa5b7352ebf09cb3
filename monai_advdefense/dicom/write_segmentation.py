"""Labels as a DICOM segmentation of their series."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_advdefense import __version__
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.dicom.complete_header import LONG_STRING, complete_header
from monai_advdefense.dicom.libraries import check_libraries
from monai_advdefense.dicom.structure_codes import segment_code
from monai_advdefense.errors import OutputError
from monai_advdefense.messages import broken_rule, reason

__all__ = ["Answer", "write_segmentation"]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Answer:
    """What is said about a series.

    Attributes:
        labels: class of each voxel ``(columns, rows, slices)`` on the grid of the series; 0 is background.
        affine: that of the series, RAS, ``(4, 4)``.
        class_names: name of each class by number; one without is called ``class N``.
        verdict: the guard's verdict in a sentence.
        model: name and version of the model.
        weights_sha256: checksum of its weights; None is not known.
    """

    labels: NDArray[Any]
    affine: NDArray[np.float64]
    class_names: Mapping[int, str] = field(default_factory=dict)
    verdict: str = ""
    model: str = "unknown"
    weights_sha256: str | None = None


def write_segmentation(answer: Answer, headers: Sequence[Any], path: str | os.PathLike[str]) -> None:
    """Write labels as a DICOM segmentation: one binary segment for each class that occurs, rejected slices included.

    Verdict, names and versions stand in the series description, the content description and the equipment module; the
    slices of the source series are referred to. The same answer about the same series has the same UIDs. Values of the
    headers that the standard forbids and highdicom cannot take over are left empty or out with a warning.

    Args:
        answer: labels and verdict.
        headers: data sets of the source series, see :class:`~monai_advdefense.dicom.read_series.Series`.
        path: file to write; missing folders are made.

    Raises:
        OutputError: if there is no label above 0, the patient's ID cannot be decoded, or the file cannot be written;
            nothing incomplete is left behind.
    """
    check_libraries()
    classes = [int(value) for value in np.unique(answer.labels) if value]
    if not classes:
        rule = "a structure or a rejected slice"
        raise broken_rule(path, rule, "background alone", "a DICOM segmentation cannot be empty", error=OutputError)
    # Patient and study are taken from the first.
    headers = [complete_header(headers[0], path), *headers[1:]]
    try:
        segmentation = _segmentation(answer, classes, headers)
    # A header of another maker can lack anything that the standard asks for.
    except Exception as error:
        found = f"{type(error).__name__}: {reason(error)}"
        remedy = "the headers of the series may lack what the standard asks for; the NIfTI file is not affected"
        raise broken_rule(path, "to make a DICOM segmentation", found, remedy, error=OutputError) from error
    with atomic_path(path) as temporary:
        segmentation.save_as(temporary)


def _segmentation(answer: Answer, classes: Sequence[int], headers: Sequence[Any]) -> Any:
    from highdicom.seg import Segmentation

    instance, series = _uids(answer, headers)
    verdict = answer.verdict[:LONG_STRING]
    segmentation = Segmentation(
        source_images=headers,
        pixel_array=_slices_first(answer, classes, headers[0]),
        segmentation_type="BINARY",
        segment_descriptions=[_segment(answer, number, value) for number, value in enumerate(classes, start=1)],
        series_instance_uid=series,
        series_number=max(int(headers[0].get("SeriesNumber") or 0) + 1000, 1),
        sop_instance_uid=instance,
        instance_number=1,
        manufacturer="monai_advdefense",
        manufacturer_model_name=answer.model[:LONG_STRING],
        software_versions=__version__,
        device_serial_number=(answer.weights_sha256 or "unknown")[:LONG_STRING],
        content_description=verdict or None,
        content_label="SEGMENTATION",
        series_description=f"monai_advdefense: {answer.verdict}"[:LONG_STRING],
    )
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    if "SliceThickness" not in measures:
        # Of a series without it highdicom would not read its own segmentation.
        measures.SliceThickness = measures.SpacingBetweenSlices
    return segmentation


def _uids(answer: Answer, headers: Sequence[Any]) -> tuple[str, str]:
    from pydicom.uid import generate_uid

    digest = hashlib.sha256(np.ascontiguousarray(answer.labels).tobytes()).hexdigest()
    sources = [*sorted(str(each.SOPInstanceUID) for each in headers), digest, answer.verdict, answer.model]
    sources += [answer.weights_sha256 or "", __version__]
    return generate_uid(entropy_srcs=["instance", *sources]), generate_uid(entropy_srcs=["series", *sources])


def _slices_first(answer: Answer, classes: Sequence[int], header: Any) -> Any:
    """Numbers of segments in the order of highdicom: slices, rows, columns."""
    from highdicom import Volume

    numbers = np.searchsorted([0, *classes], answer.labels).astype(np.uint8 if len(classes) < 256 else np.uint16)
    affine = (_LPS_TO_RAS @ answer.affine)[:, [2, 1, 0, 3]]
    return Volume(
        np.ascontiguousarray(numbers.transpose(2, 1, 0)),
        affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=header.FrameOfReferenceUID,
    )


def _segment(answer: Answer, number: int, value: int) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    name = answer.class_names.get(value, f"class {value}")
    code = segment_code(name)
    segment = SegmentDescription(
        number,
        name[:LONG_STRING],
        CodedConcept(*code.category),
        CodedConcept(*code.kind),
        "AUTOMATIC",
        AlgorithmIdentificationSequence(
            answer.model[:LONG_STRING], codes.DCM.ArtificialIntelligence, __version__, source="monai_advdefense"
        ),
    )
    segment.SegmentDescription = f"label {value} of the NIfTI file"
    if code.side:
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [CodedConcept(*code.side)]
    return segment
