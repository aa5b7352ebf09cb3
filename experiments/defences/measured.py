"""Defences under attack, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from experiments.defences.threats import Threat
from experiments.slices import Slices
from monai_advdefense.attacks import ladder, mean_dice, measured_quality, selective_pgd
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.networks import fold_batch_norm
from monai_advdefense.robustness.cells import Cells
from monai_advdefense.robustness.network_facts import network_sha256

__all__ = ["Attacked", "Measured", "attack_slices"]

_BATCH = 4


@dataclass(frozen=True)
class Attacked:
    """What an attacker reaches.

    Attributes:
        dice: ``(N,)``, lowest mean Dice over the structures of a slice, of all attacked copies that the defence lets
            pass and the clean slice; NaN where it lets none pass.
        accepted: ``(N,)``, whether an attacked copy passes.
    """

    dice: npt.NDArray[np.float64]
    accepted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """A defence without attack, and under each threat budget by budget.

    Attributes:
        dice: of the clean slices ``(N,)``, whether they pass or not.
        clean: what passes of them.
        attacked: by the name of the threat.
    """

    dice: npt.NDArray[np.float64]
    clean: Attacked
    attacked: Mapping[str, Sequence[Attacked]]


@dataclass(frozen=True)
class _Defence:
    """A network, and the guard that decides what reaches it."""

    whole: nn.Module

    @cached_property
    def guard(self) -> DefendedSegmenter | None:
        return self.whole if isinstance(self.whole, DefendedSegmenter) else None

    @cached_property
    def network(self) -> nn.Module:
        """From images to the logits that an accepted one leads to."""
        return self.whole if self.guard is None else nn.Sequential(self.guard.reformer, self.guard.segmenter)

    def accepted(self, image: Tensor) -> Tensor:
        """Which of ``image`` ``(B, 1, H, W)`` pass ``(B,)``."""
        if self.guard is None:
            return torch.ones(len(image), dtype=torch.bool)
        with torch.no_grad():
            accepted: Tensor = self.guard.decide(image, self.guard.score(image))
        return accepted


def attack_slices(
    network: nn.Module, slices: Slices, threats: Sequence[Threat], *, steps: int, work_dir: Path
) -> Measured:
    """Attack slices by one who knows the defence from end to end, within the brain.

    Each budget of a threat begins where the one before ended. In the L2 norm a defence that rejects is attacked through
    its score as well, from the slice and from a random start; under the other threats its score is not looked at.

    Args:
        network: from slices to logits; a :class:`~monai_advdefense.guard.DefendedSegmenter` may reject.
        slices: what is attacked.
        threats: kinds of attacks.
        steps: of each attack at each budget.
        work_dir: folder of the measurements; a run that was stopped goes on there.
    """
    defence = _Defence(fold_batch_norm(network.eval()))
    cells = Cells(work_dir, of={"network": network_sha256(network), "steps": steps})
    parts: dict[str, list[list[dict[str, Any]]]] = {threat.name: [] for threat in threats}
    starts = range(0, len(slices), _BATCH)
    for start, threat in tqdm([(start, threat) for start in starts for threat in threats]):
        some = slices.at(range(start, min(start + _BATCH, len(slices))))
        key = {"threat": repr(threat), "volume": some.volume.tolist(), "slice": some.slice.tolist()}
        found = cells.make(key, lambda: {"budgets": _attack(defence, some, threat, steps)})  # noqa: B023
        parts[threat.name].append(found["budgets"])
    attacked = {name: [_joined(budget) for budget in zip(*of_threat, strict=True)] for name, of_threat in parts.items()}
    accepted = torch.cat([defence.accepted(image) for image in slices.image.split(_BATCH)]).numpy()
    dice = torch.cat([_dice(defence, slices.at([row]), slices.image[[row]]) for row in range(len(slices))]).numpy()
    return Measured(dice, Attacked(np.where(accepted, dice, np.nan), accepted), attacked)


def _joined(parts: Sequence[Mapping[str, Any]]) -> Attacked:
    dice, accepted = ([value for part in parts for value in part[name]] for name in ("dice", "accepted"))
    return Attacked(np.array(dice, np.float64), np.array(accepted, np.bool_))


def _attack(defence: _Defence, slices: Slices, threat: Threat, steps: int) -> list[dict[str, Any]]:
    """Lowest Dice and acceptance of each slice at each budget, as JSON."""
    mask = slices.image > 0
    options: dict[str, Any] = {"mask": mask, "budgets": threat.budgets, "quality": mean_dice}
    curves = [
        ladder(defence.network, slices.image, slices.label, attack=attack, **options)
        for attack in threat.chosen(steps).values()
    ]
    found: list[dict[str, Any]] = []
    for place, budget in enumerate(threat.budgets):
        images = [curve[place].image for curve in curves]
        if defence.guard is not None and threat.name == "L2":
            images += _through_guard(defence, defence.guard, slices, budget, steps)
        found.append(_lowest(defence, slices, images))
    return found


def _through_guard(
    defence: _Defence, guard: DefendedSegmenter, slices: Slices, budget: float, steps: int
) -> list[Tensor]:
    """Slices attacked without crossing the threshold, from two starts."""
    return [
        selective_pgd(
            defence.network,
            slices.image,
            slices.label,
            excess=guard.excess,
            radius=budget,
            steps=steps,
            mask=slices.image > 0,
            generator=generator,
        ).image
        for generator in (None, torch.Generator().manual_seed(0))
    ]


def _lowest(defence: _Defence, slices: Slices, images: Sequence[Tensor]) -> dict[str, Any]:
    """Of attacked copies and the clean slice the lowest Dice among those that pass."""
    passed = torch.stack([defence.accepted(image) for image in [slices.image, *images]])
    dice = torch.stack([_dice(defence, slices, image) for image in [slices.image, *images]])
    lowest = dice.masked_fill(~passed, torch.inf).amin(0)
    lowest = torch.where(passed.any(0), lowest, torch.nan)
    return {"dice": lowest.tolist(), "accepted": passed[1:].any(0).tolist()}


def _dice(defence: _Defence, slices: Slices, image: Tensor) -> Tensor:
    return measured_quality(defence.network, image, slices.label, mask=slices.image > 0, bounds=(0.0, 1.0))
