"""Objectives: the loss that an attack climbs, one a file, each a pure function of logits and targets."""

from __future__ import annotations

from monai_advdefense.attacks.objectives.balanced_cross_entropy import balanced_cross_entropy
from monai_advdefense.attacks.objectives.boundary import boundary
from monai_advdefense.attacks.objectives.cospgd import cospgd
from monai_advdefense.attacks.objectives.cross_entropy import cross_entropy
from monai_advdefense.attacks.objectives.dag_logit import dag_logit
from monai_advdefense.attacks.objectives.jensen_shannon import jensen_shannon
from monai_advdefense.attacks.objectives.masked_cross_entropy import masked_cross_entropy
from monai_advdefense.attacks.objectives.objective import Objective
from monai_advdefense.attacks.objectives.segpgd import segpgd
from monai_advdefense.attacks.objectives.soft_dice import soft_dice
from monai_advdefense.attacks.objectives.structure_margin import grow_structure_margin, structure_margin

__all__ = [
    "Objective",
    "balanced_cross_entropy",
    "boundary",
    "cospgd",
    "cross_entropy",
    "dag_logit",
    "grow_structure_margin",
    "jensen_shannon",
    "masked_cross_entropy",
    "segpgd",
    "soft_dice",
    "structure_margin",
]
