"""Attack volumes where an evaluator would segment them."""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor

from monai_advdefense.guard.blank import is_blank
from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.dag_attack import DAGAttack

__all__ = ["AttackInferer"]


class AttackInferer(Inferer):
    """Inferer whose output is the perturbation of each volume, 0 in slices that are not attacked.

    Args:
        attack: attack on the slices of a volume, counted by its ``slice_dim``; it has its own network, that of the
            evaluator is not used.
        slices: number of slices to attack, evenly spaced among those that are not blank; None attacks them all.

    Raises:
        InputError: if ``slices`` is no whole number above 0, ``attack`` has no ``slice_dim``, or a volume has fewer
            slices that are not blank; let the dataset refuse such volumes (min_slices).
    """

    def __init__(self, attack: DAGAttack, slices: int | None = None) -> None:
        super().__init__()
        if slices is not None and not (isinstance(slices, int) and slices >= 1):
            raise broken_rule("slices", "a whole number from 1 on, or null for all", repr(slices), "give one of them")
        if attack.slice_dim is None:
            raise broken_rule("attack", "the axis that counts the slices", "slice_dim None", "give it to the attack")
        self.attack = attack
        self.slices = slices
        self.slice_dim = attack.slice_dim

    def __call__(self, inputs: Tensor, network: Any = None, *args: Any, **kwargs: Any) -> Tensor:
        """Perturbations ``(B, 1, X, Y, Z)`` of volumes of the same shape, in [0, 1]."""
        return torch.stack([self._perturbation(torch.as_tensor(volume)) for volume in inputs])

    def _perturbation(self, volume: Tensor) -> Tensor:
        axis = self.slice_dim + 1
        filled = (~is_blank(volume.movedim(axis, 0))).nonzero().flatten()
        if self.slices is not None:
            if len(filled) < self.slices:
                rule = f"at most {len(filled)}, the slices that are not blank"
                raise broken_rule("slices", rule, self.slices, "ask for fewer slices")
            filled = filled[torch.linspace(0, len(filled) - 1, self.slices).round().long()]
        clean = volume.index_select(axis, filled)
        attacked = torch.as_tensor(self.attack(clean))
        return torch.zeros_like(volume).index_copy(axis, filled, attacked - clean)
