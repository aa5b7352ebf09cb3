"""Array and dictionary transforms."""

from __future__ import annotations

from monai_advdefense.transforms.dag_attack import DAGAttack, DAGAttackD, DAGAttackd, DAGAttackDict
from monai_advdefense.transforms.detect_adversarial import (
    DetectAdversarial,
    DetectAdversarialD,
    DetectAdversariald,
    DetectAdversarialDict,
)
from monai_advdefense.transforms.fft_shift_magnitude import (
    FFTShiftMagnitude,
    FFTShiftMagnitudeD,
    FFTShiftMagnituded,
    FFTShiftMagnitudeDict,
)
from monai_advdefense.transforms.invert_labels import InvertLabelsD, InvertLabelsd, InvertLabelsDict
from monai_advdefense.transforms.keep_slices import KeepSlices, KeepSlicesD, KeepSlicesd, KeepSlicesDict
from monai_advdefense.transforms.merge_labels import MergeLabels, MergeLabelsD, MergeLabelsd, MergeLabelsDict
from monai_advdefense.transforms.reform import Reform, ReformD, Reformd, ReformDict
from monai_advdefense.transforms.reject_slices import RejectSlices, RejectSlicesD, RejectSlicesd, RejectSlicesDict
from monai_advdefense.transforms.slice_decisions import (
    SliceDecisions,
    SliceDecisionsD,
    SliceDecisionsd,
    SliceDecisionsDict,
)

__all__ = [
    "DAGAttack",
    "DAGAttackD",
    "DAGAttackDict",
    "DAGAttackd",
    "DetectAdversarial",
    "DetectAdversarialD",
    "DetectAdversarialDict",
    "DetectAdversariald",
    "FFTShiftMagnitude",
    "FFTShiftMagnitudeD",
    "FFTShiftMagnitudeDict",
    "FFTShiftMagnituded",
    "InvertLabelsD",
    "InvertLabelsDict",
    "InvertLabelsd",
    "KeepSlices",
    "KeepSlicesD",
    "KeepSlicesDict",
    "KeepSlicesd",
    "MergeLabels",
    "MergeLabelsD",
    "MergeLabelsDict",
    "MergeLabelsd",
    "Reform",
    "ReformD",
    "ReformDict",
    "Reformd",
    "RejectSlices",
    "RejectSlicesD",
    "RejectSlicesDict",
    "RejectSlicesd",
    "SliceDecisions",
    "SliceDecisionsD",
    "SliceDecisionsDict",
    "SliceDecisionsd",
]
