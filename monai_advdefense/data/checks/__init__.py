"""Rules that an input volume must meet before anything is computed from it."""

from monai_advdefense.data.checks.brain_box import check_brain_box
from monai_advdefense.data.checks.volume_file import check_volume_file

__all__ = ["check_brain_box", "check_volume_file"]
