"""Array and dictionary transforms."""

from __future__ import annotations

from monai_advdefense.transforms.dag_attack import DAGAttack, DAGAttackD, DAGAttackd, DAGAttackDict
from monai_advdefense.transforms.merge_labels import MergeLabels, MergeLabelsD, MergeLabelsd, MergeLabelsDict
from monai_advdefense.transforms.spectrum import (
    FFTShiftMagnitude,
    FFTShiftMagnitudeD,
    FFTShiftMagnituded,
    FFTShiftMagnitudeDict,
)

__all__ = [
    "DAGAttack",
    "DAGAttackD",
    "DAGAttackDict",
    "DAGAttackd",
    "FFTShiftMagnitude",
    "FFTShiftMagnitudeD",
    "FFTShiftMagnitudeDict",
    "FFTShiftMagnituded",
    "MergeLabels",
    "MergeLabelsD",
    "MergeLabelsDict",
    "MergeLabelsd",
]
