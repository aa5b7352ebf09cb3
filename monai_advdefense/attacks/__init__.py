"""Attacks: one attack is one file and one pure function on a batch."""

from __future__ import annotations

from monai_advdefense.attacks.dag import dag, step_size_for
from monai_advdefense.attacks.erase_structure import erase_structure
from monai_advdefense.attacks.fgsm import fgsm
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.attacks.noise import rician_noise
from monai_advdefense.attacks.pgd import pgd
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.selective_pgd import selective_pgd
from monai_advdefense.attacks.targets import all_background, dilate_structure, random_derangement, swap_most_frequent

__all__ = [
    "AttackResult",
    "all_background",
    "dag",
    "erase_structure",
    "dilate_structure",
    "fgsm",
    "frozen",
    "pgd",
    "random_derangement",
    "rician_noise",
    "selective_pgd",
    "step_size_for",
    "swap_most_frequent",
]
