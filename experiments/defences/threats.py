"""What the attackers of the table may change, and how they go about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monai_advdefense.attacks import Attack, standard_attacks

__all__ = ["THREATS", "Threat"]


@dataclass(frozen=True)
class Threat:
    """A kind of change inside the brain, with rising budgets.

    Attributes:
        name: of the threat in tables.
        budgets: rising, in units of the image.
        norm: ``"l2"`` or ``"linf"``.
        attacks: names in :func:`~monai_advdefense.attacks.standard_attacks`; of all the worst counts, slice by slice.
    """

    name: str
    budgets: tuple[float, ...]
    norm: str
    attacks: tuple[str, ...] = ("apgd_dice",)

    def chosen(self, steps: int) -> Mapping[str, Attack]:
        """The attacks by name."""
        known = standard_attacks(norm=self.norm, n_steps=steps)
        return {name: known[name] for name in self.attacks}


THREATS = (
    Threat("L2", (0.44, 1.46, 4.37), "l2"),
    Threat("low frequencies", (4.37,), "l2", ("low_frequencies",)),
    Threat("L-infinity", (4 / 255, 8 / 255), "linf"),
)
