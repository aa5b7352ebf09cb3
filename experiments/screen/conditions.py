"""What clean volumes are spoilt by, in the order of the page: accidents, poses, voxel sizes, attacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from experiments.attacks import AttackSetting
from experiments.measure import craft
from experiments.screen.smooth_attacks import LOWEST, bias_field_attack, soft_dice_pgd
from experiments.screen.spoilt_volumes import CAUSES, SPOILT_VOLUMES
from monai_advdefense.attacks import erase_structure
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.guard.scores.native_resolution import as_from_spacing

__all__ = ["ATTACKS", "CLEAN", "SPOILT", "VOXEL_SIZES", "Attack", "causes_of"]

CLEAN = "none"
"""Name of what has not been spoilt."""
DAG_SLICES = 10
# The others take longer.
SLICES = 3

VOXEL_SIZES: Mapping[str, tuple[float, float, float]] = {
    **{f"voxels of {size:g} mm": (size, size, size) for size in (0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)},
    "voxels of 1 x 1 x 3 mm": (1.0, 1.0, 3.0),
}
"""Along the slices' axis, rows (right-left) and columns (inferior-superior)."""


def _from_size(size: tuple[float, float, float]) -> Callable[[Tensor], Tensor]:
    return lambda volume: as_from_spacing(volume, size)


SPOILT: Mapping[str, Callable[[Tensor], Tensor]] = {
    **SPOILT_VOLUMES,
    **{name: _from_size(size) for name, size in VOXEL_SIZES.items()},
}
"""From a volume ``(S, 1, X, Z)`` to the spoilt one."""


@dataclass(frozen=True)
class Attack:
    """An attack on single slices.

    Attributes:
        slices: attacked slices of each volume.
        craft: from guard, images ``(B, 1, X, Z)``, labels, and for each slice the structure to erase, to attacked
            images.
        structure: whether it goes for one structure.
    """

    slices: int
    craft: Callable[[DefendedSegmenter, Tensor, Tensor, Tensor], Tensor]
    structure: bool = False


def _dag(kind: str, strength: float) -> Attack:
    setting = AttackSetting("dag", kind, strength)

    def attack(guard: DefendedSegmenter, image: Tensor, label: Tensor, _: Tensor) -> Tensor:
        classes = int(guard.segmenter(image[:1]).shape[1])
        found = craft(guard.segmenter, image, label, setting=setting, num_classes=classes, seed=0)
        return torch.from_numpy(found["image"])

    return Attack(DAG_SLICES, attack)


def _erase(radius: float) -> Attack:
    def attack(guard: DefendedSegmenter, image: Tensor, label: Tensor, structure: Tensor) -> Tensor:
        behind = nn.Sequential(guard.reformer, guard.segmenter)
        return erase_structure(behind, image, label, structure=structure, radius=radius, mask=image > 0).image

    return Attack(SLICES, attack, structure=True)


ATTACKS: Mapping[str, Attack] = {
    "DAG A, γ/8": _dag("A", 1 / 8),
    "DAG C, γ/8": _dag("C", 1 / 8),
    "DAG A, γ/16": _dag("A", 1 / 16),
    "DAG C, γ/16": _dag("C", 1 / 16),
    "PGD on the soft Dice, norm 0.9": Attack(SLICES, lambda g, x, y, _: soft_dice_pgd(g.segmenter, x, y, radius=0.9)),
    "low frequencies, norm 4.4": Attack(
        SLICES, lambda g, x, y, _: soft_dice_pgd(g.segmenter, x, y, radius=4.4, lowest=LOWEST)
    ),
    "optimised bias field": Attack(SLICES, lambda g, x, y, _: bias_field_attack(g.segmenter, x, y)),
    "structure erased, norm 1.14": _erase(1.14),
    "structure erased, norm 0.60": _erase(0.60),
}
"""All but the last two know the segmenter alone; those know the reformer too, but no score."""


def causes_of(name: str) -> tuple[str, ...]:
    """Causes that name what happened rightly; empty where none can."""
    if name in VOXEL_SIZES:
        return ("smooth",)
    if name in ATTACKS:
        return ("bias_field",) if "bias" in name else ("fine_pattern", "implausible")
    return CAUSES.get(name, ())
