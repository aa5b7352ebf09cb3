"""Names that the help of a verb lists: what they name would import torch."""

from __future__ import annotations

__all__ = ["ATTACKS", "CORRUPTIONS", "TARGETS"]

ATTACKS = (
    "fgsm", "pgd", "momentum", "segpgd", "cospgd", "dag", "apgd_balanced", "apgd_jensen_shannon", "apgd_masked",
    "apgd_dice", "apgd_margin", "apgd_boundary", "low_frequencies", "bias_field", "intensity_curve", "square",
)  # fmt: skip
"""See :func:`~monai_advdefense.attacks.standard_attacks`."""

CORRUPTIONS = (
    "bias field", "darker", "brighter", "gamma up", "gamma down", "clipped histogram", "inverted contrast", "blur",
    "low resolution", "thick slices", "JPEG", "RF noise", "RF interference", "spike in k-space", "Gibbs ringing",
    "ring of missing lines", "every eighth row lost", "ghosting", "rigid motion", "aliasing", "lesion", "missing half",
    "swapped slices", "rotated", "wrong spacing", "mirrored", "upside down",
)  # fmt: skip
"""See :data:`monai_advdefense.corruptions.CORRUPTIONS`."""

TARGETS = ("background", "swap", "dilate", "derangement")
"""See :class:`~monai_advdefense.transforms.DAGAttack`."""
