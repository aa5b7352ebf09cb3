"""What the standard asks of a header, and files of hospitals often lack or break."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from monai_advdefense.dicom.character_sets import UTF_8, is_known, writable_sets
from monai_advdefense.errors import OutputError
from monai_advdefense.messages import broken_rule, reason

__all__ = ["LONG_STRING", "complete_header"]

LONG_STRING = 64
"""Characters of DICOM's value representation LO, and of the meaning of a code."""

# Must be there and may be empty by the standard.
_MAY_BE_EMPTY = (
    "AccessionNumber", "PatientBirthDate", "PatientID", "PatientName", "PatientSex", "SliceThickness", "StudyDate",
    "StudyID", "StudyTime",
)  # fmt: skip
_NOT_DECODED = "\N{REPLACEMENT CHARACTER}"


def complete_header(header: Any, name: str | os.PathLike[str], *, tell: Callable[[str], object] = warnings.warn) -> Any:
    """The header, or a copy of it that highdicom can take patient and study from.

    In the copy attributes that may be empty are there, values that cannot be taken over are not, and texts are in
    character sets that highdicom knows.

    Args:
        header: pydicom's data set of an image.
        name: what to call its series, or the answer, in messages.
        tell: takes a line about each value that the copy goes without.

    Raises:
        OutputError: if the patient's ID, or the texts of a header whose character set highdicom does not know, cannot
            be decoded.
    """
    sets, unusable = header.get("SpecificCharacterSet"), _unusable_values(header)
    if _NOT_DECODED in str(header.get("PatientID")):
        rule = f"a PatientID in its character set ({sets})"
        raise broken_rule(name, rule, header.PatientID, "correct the headers of the series", error=OutputError)
    for tag, value in unusable.items():
        tell(str(broken_rule(name, f"a valid {tag}", value, "the answer goes without it")))
    if not is_known(sets):
        tell(str(broken_rule(name, "a valid SpecificCharacterSet", sets, "see if names in the answer are right")))
    # Spaces around a code say nothing (PS3.5, table 6.2-1), and highdicom does not take them.
    sex = str(header.get("PatientSex"))
    padded = "PatientSex" not in unusable and sex != sex.strip()
    missing = {tag for tag in _MAY_BE_EMPTY if tag not in header}
    recoded = "SpecificCharacterSet" in header and writable_sets(sets) != sets
    if not (missing or unusable or padded or recoded):
        return header
    complete = copy.deepcopy(header)
    for tag in unusable:
        del complete[tag]
    for tag in missing.union(unusable).intersection(_MAY_BE_EMPTY):
        setattr(complete, tag, None)
    if padded:
        complete.PatientSex = sex.strip()
    if recoded:
        _recode(complete, name, writable_sets(sets))
    return complete


def _recode(header: Any, name: str | os.PathLike[str], sets: str | list[str]) -> None:
    if sets == UTF_8:
        # No answer holds private ones, and they can hold anything.
        for tag in [tag for tag in header.keys() if tag.is_private]:  # noqa: SIM118
            del header[tag]
        try:
            # Texts in sequences would else be written as the bytes that they were.
            header.decode()
        # It meets every attribute of the header.
        except Exception as error:
            rule = f"texts in their character set ({header.SpecificCharacterSet})"
            remedy = "correct the headers of the series"
            raise broken_rule(name, rule, reason(error), remedy, error=OutputError) from error
    header.SpecificCharacterSet = sets


def _unusable_values(header: Any) -> dict[str, Any]:
    """Values by attribute that highdicom, or pydicom for it, refuses to convert."""
    from highdicom import PatientSexValues
    from pydicom.valuerep import DA, DS, TM

    number = partial(DS, auto_format=True)
    converters: dict[str, Callable[[Any], object]] = {
        "PatientBirthDate": DA,
        "PatientName": attrgetter("family_name"),  # which several names do not have
        "PatientSex": lambda sex: PatientSexValues(sex.strip()),
        "StudyDate": DA,
        "StudyTime": TM,
        "SeriesNumber": int,
        "SliceThickness": number,
        "SpacingBetweenSlices": number,
        "LossyImageCompressionRatio": partial(np.asarray, dtype=float),
        # Binary ones, whose length may be wrong.
        "LongitudinalTemporalOffsetFromEvent": str,
        "PregnancyStatus": str,
    }
    found = {}
    for tag, convert in converters.items():
        try:
            value = header.get(tag)
            if value not in (None, ""):
                convert(value)
        # Each converter raises what it likes.
        except Exception:
            found[tag] = header.get_item(tag).value
    return found
