"""Inferers."""

from monai_advdefense.inferers.attack_inferer import AttackInferer

__all__ = ["AttackInferer"]
