"""Step rules: how an attack goes on, one a file, each a pure function of where it is and of its memory."""

from __future__ import annotations

from monai_advdefense.attacks.steps.apgd import apgd
from monai_advdefense.attacks.steps.l2 import l2_step
from monai_advdefense.attacks.steps.momentum import momentum
from monai_advdefense.attacks.steps.sign import sign
from monai_advdefense.attacks.steps.step import Here, Step

__all__ = ["Here", "Step", "apgd", "l2_step", "momentum", "sign"]
