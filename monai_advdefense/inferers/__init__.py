"""Inferers."""

from monai_advdefense.inferers.attack_inferer import AttackInferer
from monai_advdefense.inferers.guarded_slice_inferer import GuardedSliceInferer

__all__ = ["AttackInferer", "GuardedSliceInferer"]
