"""Corruptions: what spoils images without an attacker. One family is one file of pure functions on a batch."""

from monai_advdefense.corruptions.calibrate import Corrupted, calibrated, corrupted
from monai_advdefense.corruptions.catalogue import CORRUPTIONS, Corruption

__all__ = ["CORRUPTIONS", "Corrupted", "Corruption", "calibrated", "corrupted"]
