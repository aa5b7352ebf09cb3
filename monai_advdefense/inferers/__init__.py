"""Inferers."""

from monai_advdefense.inferers.attack_inferer import AttackInferer
from monai_advdefense.inferers.certified_slice_inferer import CertifiedSliceInferer
from monai_advdefense.inferers.guarded_slice_inferer import GuardedSliceInferer
from monai_advdefense.inferers.screened_slice_inferer import ScreenedSliceInferer

__all__ = ["AttackInferer", "CertifiedSliceInferer", "GuardedSliceInferer", "ScreenedSliceInferer"]
