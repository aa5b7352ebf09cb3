"""Rules that an input volume must meet before anything is computed from it."""

from monai_advdefense.data.checks.intensity_range import check_intensity_range
from monai_advdefense.data.checks.slice_size import check_slice_size
from monai_advdefense.data.checks.volume_file import check_volume_file

__all__ = ["check_intensity_range", "check_slice_size", "check_volume_file"]
