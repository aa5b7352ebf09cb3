"""Codes of structures for DICOM segmentations."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PRIVATE_SCHEME", "SegmentCode", "segment_code"]

# Values of DICOM PS3.16, CID 7140 "Brain Structures for Volumetric Measurement" and the SNOMED CT codes beside it.
_STRUCTURES = {
    "accumbens area": ("427667007", "SCT", "Nucleus accumbens"),
    "amygdala": ("4958002", "SCT", "Amygdala"),
    "brain stem": ("119238007", "SCT", "Brain stem"),
    "caudate": ("11000004", "SCT", "Caudate nucleus"),
    "cerebellar cortex and vermis": ("25991003", "SCT", "Cerebellar cortex"),
    "cerebellar white matter": ("33060004", "SCT", "Cerebellar white matter"),
    "cerebral cortex": ("40146001", "SCT", "Cerebral cortex"),
    "cerebral white matter": ("68523003", "SCT", "Cerebral white matter"),
    "fourth ventricle": ("35918002", "SCT", "Fourth ventricle"),
    "hippocampus": ("5366008", "SCT", "Hippocampus"),
    "lateral ventricle": ("66720007", "SCT", "Lateral ventricle"),
    "pallidum": ("14738005", "SCT", "Globus pallidus"),
    "putamen": ("89278009", "SCT", "Putamen"),
    "thalamus": ("42695009", "SCT", "Thalamus"),
    "third ventricle": ("49841001", "SCT", "Third ventricle"),
    "ventral diencephalon": ("110700", "DCM", "Ventral diencephalon"),
}
_SIDES = {"left": ("7771000", "SCT", "Left"), "right": ("24028007", "SCT", "Right")}
_ANATOMICAL = ("91723000", "SCT", "Anatomical structure")
_SPATIAL = ("309825002", "SCT", "Spatial and relational concept")
PRIVATE_SCHEME = "99ADVDEFENSE"
"""Scheme of the codes that are this package's own."""

_Code = tuple[str, str, str]


class SegmentCode(NamedTuple):
    """Codes of a segment, each as value, scheme and meaning.

    Attributes:
        category: what kind of thing it is.
        kind: the structure; of the scheme ``99ADVDEFENSE`` where no standard code is known.
        side: left or right; None for neither.
    """

    category: _Code
    kind: _Code
    side: _Code | None = None


def segment_code(name: str) -> SegmentCode:
    """The codes of a class by its name in a bundle's ``channel_def``.

    Example:
        >>> segment_code("left caudate").kind, segment_code("left caudate").side
        (('11000004', 'SCT', 'Caudate nucleus'), ('7771000', 'SCT', 'Left'))
        >>> segment_code("rejected").kind
        ('rejected', '99ADVDEFENSE', 'rejected')
    """
    first, _, rest = name.partition(" ")
    side, structure = (_SIDES[first], rest) if first in _SIDES else (None, name)
    if structure in _STRUCTURES:
        return SegmentCode(_ANATOMICAL, _STRUCTURES[structure], side)
    # A code value has 16 characters at most, a meaning 64.
    kind = (name.replace(" ", "_")[:16], PRIVATE_SCHEME, name[:64])
    return SegmentCode(_SPATIAL if name == "rejected" else _ANATOMICAL, kind)
