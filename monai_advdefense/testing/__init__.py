"""Check kits: what must hold for every attack, detector and reformer, also for those of others."""

from __future__ import annotations

from monai_advdefense.testing.check_attack import check_attack
from monai_advdefense.testing.check_detector import check_detector
from monai_advdefense.testing.check_reformer import check_reformer
from monai_advdefense.testing.failure import CheckFailedError

__all__ = ["CheckFailedError", "check_attack", "check_detector", "check_reformer"]
