"""Loss functions."""

from monai_advdefense.losses.residual import ResidualLoss
from monai_advdefense.losses.through_segmenter import ThroughSegmenterLoss
from monai_advdefense.losses.weighted_logistic_dice import (
    WeightedLogisticDiceLoss,
    class_boundary,
    median_frequency_weights,
    weighted_logistic_dice_loss,
)

__all__ = [
    "ResidualLoss",
    "ThroughSegmenterLoss",
    "WeightedLogisticDiceLoss",
    "class_boundary",
    "median_frequency_weights",
    "weighted_logistic_dice_loss",
]
