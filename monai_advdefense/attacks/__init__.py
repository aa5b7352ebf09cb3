"""Attacks: one attack is one file and one pure function on a batch."""

from __future__ import annotations

from monai_advdefense.attacks.dag import dag, step_size_for
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.attacks.noise import rician_noise
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.targets import all_background, dilate_structure, random_derangement, swap_most_frequent

__all__ = [
    "AttackResult",
    "all_background",
    "dag",
    "dilate_structure",
    "frozen",
    "random_derangement",
    "rician_noise",
    "step_size_for",
    "swap_most_frequent",
]
