"""How robust a segmentation network is: attacks and corruptions, measured and reported."""

from monai_advdefense.robustness.report import robustness_report
from monai_advdefense.robustness.settings import Settings

__all__ = ["Settings", "robustness_report"]
