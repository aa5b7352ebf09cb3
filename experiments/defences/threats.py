"""What the attackers of the table may change, what they know, and how they go about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch

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
        knows: ``"defence"``, from end to end; ``"segmenter"``, the undefended one alone; or ``"answers"``, the logits
            and the decision for what is asked.
        steps: of each attack at each budget.
        restarts: random starts beside the one from the image.
        n_queries: of the square attack, about each slice.
        through_score: a defence that rejects is attacked through its score as well; in the L2 norm.
    """

    name: str
    budgets: tuple[float, ...]
    norm: str
    attacks: tuple[str, ...] = ("apgd_dice",)
    knows: str = "defence"
    steps: int = 10
    restarts: int = 0
    n_queries: int = 0
    through_score: bool = False

    def chosen(self) -> Mapping[str, Attack]:
        """The attacks by name."""
        known = standard_attacks(norm=self.norm, n_steps=self.steps, n_queries=self.n_queries)
        chosen = {name: known[name] for name in self.attacks}
        if not self.restarts:
            return chosen
        draws = torch.Generator().manual_seed(0)
        return {name: partial(each, restarts=self.restarts, generator=draws) for name, each in chosen.items()}


THREATS = (
    Threat("L2", (0.44, 1.46, 4.37), "l2", through_score=True),
    Threat("low frequencies", (4.37,), "l2", ("low_frequencies",)),
    Threat("L-infinity", (4 / 255, 8 / 255), "linf"),
    Threat("200 steps, L2", (1.46,), "l2", steps=200, restarts=4),
    Threat("transfer, L2", (1.46, 4.37), "l2", knows="segmenter"),
    Threat("200 queries, L-infinity", (8 / 255,), "linf", ("square",), knows="answers", n_queries=200),
)
