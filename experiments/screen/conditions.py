"""What clean volumes are spoilt by, in the order of the page: accidents, poses, voxel sizes, attacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.attacks import AttackSetting
from experiments.measure import craft
from experiments.screen.informed_attack import Attackable, evade_scores, through_reformer
from experiments.screen.smooth_attacks import LOWEST, bias_field_attack, soft_dice_pgd
from experiments.screen.spoilt_volumes import CAUSES, SPOILT_VOLUMES
from monai_advdefense.attacks import erase_structure
from monai_advdefense.guard.scores.native_resolution import as_from_spacing
from monai_advdefense.guard.screen import SCREEN_SCORES

__all__ = [
    "ATTACKS",
    "BLIND_ATTACKS",
    "CLEAN",
    "INFORMED_ATTACKS",
    "PARTLY_INFORMED_ATTACKS",
    "SPOILT",
    "VOXEL_SIZES",
    "Attack",
    "causes_of",
]

CLEAN = "none"
"""Name of what has not been spoilt."""
DAG_SLICES = 10
# The others take longer.
SLICES = 3
EVADING_SLICES = 2
NORMS = (4.37, 1.46, 0.44)
"""L2 norms of the attackers who know the guard: of DAG A at full strength, a third and a tenth of it."""
SHORT_NORM, SHORT_STEPS = 1.46, 12
"""Of the attackers to whom one score is unknown."""

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
        craft: from what is attacked to attacked images ``(B, 1, X, Z)``.
        structure: whether it goes for one structure.
        knows_scores: whether it looks at the scores of the screen: another screen is then attacked anew.
        one_volume: of each subject the first volume alone is attacked.
    """

    slices: int
    craft: Callable[[Attackable], Tensor]
    structure: bool = False
    knows_scores: bool = False
    one_volume: bool = False


def _dag(kind: str, strength: float) -> Attack:
    setting = AttackSetting("dag", kind, strength)

    def attack(on: Attackable) -> Tensor:
        segmenter = on.guard.segmenter
        classes = int(segmenter(on.image[:1]).shape[1])
        return torch.from_numpy(
            craft(segmenter, on.image, on.label, setting=setting, num_classes=classes, seed=0)["image"]
        )

    return Attack(DAG_SLICES, attack)


def _erase(radius: float) -> Attack:
    def attack(on: Attackable) -> Tensor:
        found = erase_structure(
            through_reformer(on.guard), on.image, on.label, structure=on.structure, radius=radius, mask=on.image > 0
        )
        return found.image

    return Attack(SLICES, attack, structure=True)


def _soft_dice(radius: float, lowest: int | None = None, *, reformer: bool = False) -> Attack:
    def attack(on: Attackable) -> Tensor:
        network = through_reformer(on.guard) if reformer else on.guard.segmenter
        return soft_dice_pgd(network, on.image, on.label, radius=radius, lowest=lowest)

    return Attack(SLICES, attack)


def _evade(radius: float) -> Attack:
    return Attack(EVADING_SLICES, lambda on: evade_scores(on, radius=radius), knows_scores=True)


def _evade_shortly(unknown: str = "") -> Attack:
    def attack(on: Attackable) -> Tensor:
        return evade_scores(on, radius=SHORT_NORM, steps=SHORT_STEPS, starts=1, unknown=unknown)

    return Attack(1, attack, knows_scores=True, one_volume=True)


BLIND_ATTACKS: Mapping[str, Attack] = {
    "DAG A, γ/8": _dag("A", 1 / 8),
    "DAG C, γ/8": _dag("C", 1 / 8),
    "DAG A, γ/16": _dag("A", 1 / 16),
    "DAG C, γ/16": _dag("C", 1 / 16),
    "PGD on the soft Dice, norm 0.9": _soft_dice(0.9),
    "low frequencies, norm 4.4": _soft_dice(4.4, LOWEST),
    "optimised bias field": Attack(SLICES, lambda on: bias_field_attack(on.guard.segmenter, on.image, on.label)),
}
"""They know the segmenter alone."""

INFORMED_ATTACKS: Mapping[str, Attack] = {
    "structure erased, norm 1.14": _erase(1.14),
    "structure erased, norm 0.60": _erase(0.60),
    **{f"knows the reformer, norm {radius}": _soft_dice(radius, reformer=True) for radius in NORMS},
    **{f"knows everything, norm {radius}": _evade(radius) for radius in NORMS},
}
"""They know reformer and segmenter; the last ones the scores too."""

PARTLY_INFORMED_ATTACKS: Mapping[str, Attack] = {
    "knows every score": _evade_shortly(),
    **{f"knows every score but {name.replace('_', ' ')}": _evade_shortly(name) for name in SCREEN_SCORES},
}
"""They know all but one score, with a short attack on few slices; the first one knows all, for comparison."""

ATTACKS: Mapping[str, Attack] = {**BLIND_ATTACKS, **INFORMED_ATTACKS, **PARTLY_INFORMED_ATTACKS}


def causes_of(name: str) -> tuple[str, ...]:
    """Causes that name what happened rightly; empty where none can."""
    if name in VOXEL_SIZES:
        return ("smooth",)
    if name in ATTACKS:
        return ("bias_field",) if "bias" in name else ("fine_pattern", "implausible")
    return CAUSES.get(name, ())
