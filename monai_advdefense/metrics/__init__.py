"""Metrics of segmentation, detection and of a guard as a whole."""

from monai_advdefense.metrics.accepted import accepted_pairs, accepted_slices, detector_decisions
from monai_advdefense.metrics.bootstrap import Interval, bootstrap_over_subjects
from monai_advdefense.metrics.certified_counts import certified_counts
from monai_advdefense.metrics.detection import (
    DetectionMetrics,
    accepted_and_bad,
    coverage,
    detection_metrics,
    rejection_rate,
)
from monai_advdefense.metrics.dice import dice_from_counts, dice_per_class, mean_dice, overlap_counts, soft_dice
from monai_advdefense.metrics.resampling import Resampled, SubjectResampling, mean_of
from monai_advdefense.metrics.risk_coverage import risk_coverage_curve

__all__ = [
    "accepted_pairs",
    "accepted_slices",
    "detector_decisions",
    "DetectionMetrics",
    "Interval",
    "Resampled",
    "SubjectResampling",
    "accepted_and_bad",
    "bootstrap_over_subjects",
    "certified_counts",
    "coverage",
    "detection_metrics",
    "dice_from_counts",
    "dice_per_class",
    "mean_dice",
    "mean_of",
    "overlap_counts",
    "rejection_rate",
    "risk_coverage_curve",
    "soft_dice",
]
