"""Balls: where an attack with a budget may go, one a file. Budgets are in units of the image."""

from __future__ import annotations

from monai_advdefense.attacks.balls.ball import Ball, BallAround
from monai_advdefense.attacks.balls.bias_field import bias_field
from monai_advdefense.attacks.balls.intensity_curve import intensity_curve
from monai_advdefense.attacks.balls.low_frequencies import low_frequencies
from monai_advdefense.attacks.balls.norm_ball import NormBall, l2, linf

__all__ = ["Ball", "BallAround", "NormBall", "bias_field", "intensity_curve", "l2", "linf", "low_frequencies"]
