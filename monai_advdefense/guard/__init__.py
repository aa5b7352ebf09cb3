"""The guard: spectrum, scores, decision, detector, reformer, defended segmenter, calibration and slices."""

from __future__ import annotations

from monai_advdefense.guard.decision import CombinedDecision, SpectralDecision
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.guard.detector import ReconstructionDetector
from monai_advdefense.guard.reformer import Reformer
from monai_advdefense.guard.screen import Screen, load_screen

__all__ = [
    "CombinedDecision",
    "DefendedSegmenter",
    "ReconstructionDetector",
    "Reformer",
    "Screen",
    "SpectralDecision",
    "load_screen",
]
