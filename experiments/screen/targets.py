"""What the screen was wanted to reach, as it was set before anything was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from experiments.screen.conditions import (
    BLIND_ATTACKS,
    CLEAN,
    INFORMED_ATTACKS,
    PARTLY_INFORMED_ATTACKS,
    VOXEL_SIZES,
)

__all__ = ["GROUPS", "OTHER_ORGAN", "TARGETS", "Target"]

_SEVERE = (
    *("blur", "half the resolution", "Gibbs ringing", "spike in k-space", "squared intensities", "inverted contrast"),
    *("every eighth row lost", "motion of 1.5 pixels", "every second line at 40 %"),
)
_MILD = ("bias field", "gamma 0.7", "gamma 1.5")
_POSES = (
    *("upside down", "rotated by 90 degrees", "half missing", "slices from 2 cm away"),
    *("every tenth slice 0.6 as bright", "mirrored"),
)
_PHANTOMS = ("contrast agent and a lesion",)

GROUPS: Mapping[str, tuple[str, ...]] = {
    "clean": (CLEAN,),
    "severe accident": _SEVERE,
    "mild accident": _MILD,
    "pose": _POSES,
    "voxel size": tuple(VOXEL_SIZES),
    "phantom": _PHANTOMS,
    "attack": tuple(BLIND_ATTACKS),
    "informed attack": tuple(INFORMED_ATTACKS),
    "partly informed attack": tuple(PARTLY_INFORMED_ATTACKS),
}
"""Conditions by kind, in the order of the page."""


@dataclass(frozen=True)
class Target:
    """A bound of a quantity.

    Attributes:
        quantity: name of the column.
        bound: what is wanted.
        least: the bound is the least that is wanted; else the most.
        up_to: beside a least, the most that is wanted.
    """

    quantity: str
    bound: float
    least: bool = True
    up_to: float = math.inf

    def met(self, value: float) -> bool:
        """Whether a figure is as wanted."""
        return self.bound <= value <= self.up_to if self.least else value <= self.bound

    def __str__(self) -> str:
        if self.up_to < math.inf:
            return f"{self.bound:g} to {self.up_to:g}"
        return f"at {'least' if self.least else 'most'} {self.bound:g}"


def _each(names: tuple[str, ...], *targets: Target) -> dict[str, tuple[Target, ...]]:
    return dict.fromkeys(names, targets)


def _dag(auc: float, found: float | None = None) -> tuple[Target, ...]:
    targets = (Target("auc", auc),)
    return targets if found is None else (*targets, Target("rejected", found))


TARGETS: Mapping[str, tuple[Target, ...]] = {
    CLEAN: (
        Target("rejected", 0.05, least=False),
        Target("worst_volume", 0.12, least=False),
        Target("volumes_not_clean", 0.125, least=False),
        Target("left_out_not_clean", 2, least=False),
        Target("dice_coverage", 0.85, up_to=0.95),
        Target("volume_dice_coverage", 0.85, up_to=0.95),
        Target("aurc_gain", 0),
    ),
    **_each(_SEVERE, Target("rejected", 0.95), Target("volumes_not_clean", 1), Target("cause_right", 0.85)),
    "bias field": (Target("rejected", 0.85),),
    "gamma 0.7": (Target("rejected", 0.7),),
    "gamma 1.5": (Target("rejected", 0.95),),
    **_each(_POSES[:-1], Target("rejected", 0.8), Target("volumes_not_clean", 0.95)),
    **_each(tuple(VOXEL_SIZES)[:6], Target("volumes_not_clean", 0, least=False)),
    **_each(tuple(VOXEL_SIZES)[6:], Target("clean_or_low_resolution", 1)),
    **_each(_PHANTOMS, Target("volumes_not_clean", 0.9)),
    "DAG A, γ/8": (*_dag(0.99, 0.95), Target("volumes_not_clean", 0.95), Target("cause_right", 0.85)),
    "DAG C, γ/8": (*_dag(0.98, 0.88), Target("volumes_not_clean", 0.95), Target("cause_right", 0.85)),
    "DAG A, γ/16": _dag(0.93),
    "DAG C, γ/16": _dag(0.87),
    "PGD on the soft Dice, norm 0.9": (Target("accepted_and_bad", 0.1, least=False),),
    "low frequencies, norm 4.4": (Target("accepted_and_bad", 0.3, least=False),),
    "optimised bias field": (Target("accepted_and_bad", 0.3, least=False),),
    "structure erased, norm 1.14": (Target("accepted_and_bad", 0.3, least=False),),
    "structure erased, norm 0.60": (Target("accepted_and_bad", 0.1, least=False),),
}
"""Bounds by condition; what is not here is reported, whatever it is."""

OTHER_ORGAN: Mapping[str, tuple[str, Target | None]] = {
    "seconds": ("Seconds of the calibration, of all processors together", Target("seconds", 120, least=False)),
    "false_alarms": ("Slices of new clean volumes rejected", Target("false_alarms", 0.06, least=False)),
    "clean_not_clean": ("New clean volumes not clean", None),
    "accidents_rejected": ("Slices of severe accidents rejected", Target("accidents_rejected", 0.95)),
    "accidents_not_clean": ("Volumes with a severe accident not clean", None),
}
"""Title and bound of each figure of a calibration on another organ."""
