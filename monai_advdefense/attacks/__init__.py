"""Attacks: each a pure function on a batch, made of an objective, a step rule and a ball.

See :mod:`~monai_advdefense.attacks.objectives`, :mod:`~monai_advdefense.attacks.steps` and
:mod:`~monai_advdefense.attacks.balls`; :func:`composed_attack` puts them together.
"""

from __future__ import annotations

from monai_advdefense.attacks.accelerated import accelerated
from monai_advdefense.attacks.attack import Attack
from monai_advdefense.attacks.composed import composed_attack
from monai_advdefense.attacks.dag import dag, step_size_for
from monai_advdefense.attacks.erase_structure import erase_structure
from monai_advdefense.attacks.fgsm import fgsm
from monai_advdefense.attacks.foreground_mask import foreground_mask
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.attacks.no_effect import NoEffectWarning
from monai_advdefense.attacks.noise import rician_noise
from monai_advdefense.attacks.pgd import pgd
from monai_advdefense.attacks.quality import mean_dice, right_pixels
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.schedules import ladder
from monai_advdefense.attacks.selective_pgd import selective_pgd
from monai_advdefense.attacks.sliding_window import ThroughWindows
from monai_advdefense.attacks.smallest_budget import SmallestBudget, smallest_budget
from monai_advdefense.attacks.square import square
from monai_advdefense.attacks.standard_attacks import standard_attacks
from monai_advdefense.attacks.targets import all_background, dilate_structure, random_derangement, swap_most_frequent
from monai_advdefense.attacks.universal import universal
from monai_advdefense.attacks.worst_case import WorstCase, measured_quality, worst_case, worst_of

__all__ = [
    "Attack",
    "AttackResult",
    "NoEffectWarning",
    "SmallestBudget",
    "ThroughWindows",
    "WorstCase",
    "accelerated",
    "all_background",
    "composed_attack",
    "dag",
    "dilate_structure",
    "erase_structure",
    "fgsm",
    "foreground_mask",
    "frozen",
    "ladder",
    "mean_dice",
    "measured_quality",
    "pgd",
    "random_derangement",
    "rician_noise",
    "right_pixels",
    "selective_pgd",
    "smallest_budget",
    "square",
    "standard_attacks",
    "step_size_for",
    "swap_most_frequent",
    "universal",
    "worst_case",
    "worst_of",
]
