"""What the standard asks of a header, and files without patient data often lack."""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["LONG_STRING", "complete_header"]

LONG_STRING = 64
"""Characters of DICOM's value representation LO, and of the meaning of a code."""

# Must be there and may be empty by the standard.
_MAY_BE_EMPTY = (
    "AccessionNumber", "PatientBirthDate", "PatientID", "PatientName", "PatientSex", "SliceThickness", "StudyDate",
    "StudyID", "StudyTime",
)  # fmt: skip


def complete_header(header: Any) -> Any:
    """The header, or a copy of it in which attributes that may be empty are there."""
    missing = [tag for tag in _MAY_BE_EMPTY if tag not in header]
    if not missing:
        return header
    complete = copy.deepcopy(header)
    for tag in missing:
        setattr(complete, tag, None)
    return complete
