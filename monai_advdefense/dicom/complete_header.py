"""What the standard asks of a header, and files without patient data often lack."""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["LONG_STRING", "complete_header"]

LONG_STRING = 64
"""Characters of DICOM's value representation LO, and of the meaning of a code."""

# What an empty value among several character sets stands for.
_DEFAULT_SET = "ISO 2022 IR 6"
# Must be there and may be empty by the standard.
_MAY_BE_EMPTY = (
    "AccessionNumber", "PatientBirthDate", "PatientID", "PatientName", "PatientSex", "SliceThickness", "StudyDate",
    "StudyID", "StudyTime",
)  # fmt: skip


def complete_header(header: Any) -> Any:
    """The header, or a copy of it in which attributes that may be empty are there, and all character sets are named.

    Several ones, as of Japanese text, begin by custom with an empty value, which highdicom does not know.
    """
    changes: dict[str, Any] = {tag: None for tag in _MAY_BE_EMPTY if tag not in header}
    sets = header.get("SpecificCharacterSet") or ""
    if not isinstance(sets, str) and not all(sets):
        changes["SpecificCharacterSet"] = [each or _DEFAULT_SET for each in sets]
    if not changes:
        return header
    complete = copy.deepcopy(header)
    for tag, value in changes.items():
        setattr(complete, tag, value)
    return complete
