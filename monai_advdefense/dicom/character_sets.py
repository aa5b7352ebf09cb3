"""Character sets of headers, and those of their answers."""

from __future__ import annotations

from typing import Any

__all__ = ["UTF_8", "is_known", "writable_sets"]

UTF_8 = "ISO_IR 192"
"""DICOM's name of the character set that holds every text."""

# What an empty value among several character sets stands for.
_DEFAULT = "ISO 2022 IR 6"
_EXTENDED = "ISO 2022"
# highdicom refuses the Chinese one beside others, and these as the first.
_NOT_AMONG_OTHERS = {"ISO 2022 IR 58"}
_NOT_FIRST = {"ISO 2022 IR 87", "ISO 2022 IR 159"}


def is_known(sets: Any) -> bool:
    """Whether texts in these character sets are decoded without a guess."""
    from pydicom.charset import python_encoding

    return all(each in python_encoding for each in _listed(sets))


def writable_sets(sets: Any) -> str | list[str]:
    """The character sets by names that highdicom takes, or UTF-8 if it does not take them.

    Several ones, as of Japanese text, begin by custom with an empty value, which highdicom does not know.

    Example:
        >>> writable_sets("ISO_IR 100"), writable_sets(["", "ISO 2022 IR 87"]), writable_sets(["", "ISO 2022 IR 149"])
        ('ISO_IR 100', ['ISO 2022 IR 6', 'ISO 2022 IR 87'], 'ISO_IR 192')
    """
    from highdicom import SpecificCharacterSetValues

    taken = {each.value for each in SpecificCharacterSetValues}
    extended = {each for each in taken if each.startswith(_EXTENDED)}
    match _listed(sets):
        case [single]:
            return single if single in taken - extended else UTF_8
        case several:
            named = [each or _DEFAULT for each in several]
            usable = set(named) <= extended - _NOT_AMONG_OTHERS and named[0] not in _NOT_FIRST
            return named if usable else UTF_8


def _listed(sets: Any) -> list[str]:
    return [sets or ""] if sets is None or isinstance(sets, str) else list(sets)
