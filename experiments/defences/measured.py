"""Defences under attack, slice by slice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from experiments.defences.threats import Threat
from experiments.defences.watched import Watched
from experiments.slices import Slices
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.attacks import ladder, mean_dice, measured_quality, selective_pgd
from monai_advdefense.attacks.quality import Quality
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


def attack_slices(
    network: nn.Module, slices: Slices, threats: Sequence[Threat], *, steps: int, work_dir: Path
) -> Measured:
    """Attack slices by one who knows the defence from end to end, within the brain.

    Each budget of a threat begins where the one before ended. A defence that rejects is attacked as if it did not, and
    so that of all steps the worst that passes is kept; in the L2 norm through its score as well. Copies of a smaller
    budget count for a larger one.

    Args:
        network: from slices to logits; a :class:`~monai_advdefense.guard.DefendedSegmenter` may reject.
        slices: what is attacked.
        threats: kinds of attacks.
        steps: of each attack at each budget.
        work_dir: folder of the measurements; a run that was stopped goes on there.
    """
    defence = _Defence(network.eval(), work_dir, steps)
    parts: dict[str, list[list[dict[str, Any]]]] = {threat.name: [] for threat in threats}
    starts = range(0, len(slices), _BATCH)
    for start, threat in tqdm([(start, threat) for start in starts for threat in threats]):
        some = slices.at(range(start, min(start + _BATCH, len(slices))))
        parts[threat.name].append(defence.under(threat, some))
    attacked = {name: [_joined(budget) for budget in zip(*of_threat, strict=True)] for name, of_threat in parts.items()}
    accepted = torch.cat([defence.accepted(image) for image in slices.image.split(_BATCH)]).numpy()
    dice = torch.cat([defence.dice(slices.at([row]), slices.image[[row]]) for row in range(len(slices))]).numpy()
    return Measured(dice, Attacked(np.where(accepted, dice, np.nan), accepted), attacked)


def _joined(parts: Sequence[Mapping[str, Any]]) -> Attacked:
    dice, accepted = ([value for part in parts for value in part[name]] for name in ("dice", "accepted"))
    return Attacked(np.array(dice, np.float64), np.array(accepted, np.bool_))


def _sha256(slices: Slices) -> str:
    digest = hashlib.sha256()
    for part in (slices.image, slices.label):
        digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()


class _Defence:
    """A network or a guard, folded, and what was measured of it."""

    def __init__(self, whole: nn.Module, work_dir: Path, steps: int) -> None:
        behind = nn.Sequential(whole.reformer, whole.segmenter) if isinstance(whole, DefendedSegmenter) else whole
        self.cells = Cells(work_dir, of={"network": network_sha256(whole), "steps": steps})
        # Guards in front of the same networks share these attacks.
        self.images = Cells(work_dir / "images", of={"network": network_sha256(behind), "steps": steps})
        folded = fold_batch_norm(whole)
        self.guard = folded if isinstance(folded, DefendedSegmenter) else None
        self.network = nn.Sequential(self.guard.reformer, self.guard.segmenter) if self.guard else folded
        self.steps = steps

    def accepted(self, image: Tensor) -> Tensor:
        """Which of ``image`` ``(B, 1, H, W)`` pass ``(B,)``."""
        if self.guard is None:
            return torch.ones(len(image), dtype=torch.bool)
        with torch.no_grad():
            accepted: Tensor = self.guard.decide(image, self.guard.score(image))
        return accepted

    def dice(self, slices: Slices, image: Tensor) -> Tensor:
        """Mean Dice ``(B,)`` of what is predicted on ``image``, copies of ``slices``."""
        return measured_quality(self.network, image, slices.label, mask=slices.image > 0, bounds=(0.0, 1.0))

    def under(self, threat: Threat, slices: Slices) -> list[dict[str, Any]]:
        """Lowest Dice and acceptance of each slice at each budget, as JSON."""
        key = {"threat": repr(threat), "slices": _sha256(slices)}
        measure = partial(self._attack, threat, slices, self.images.path(key).with_suffix(".pt"))
        cell = key if self.guard is None else {**key, "kept": "accepted"}
        budgets: list[dict[str, Any]] = self.cells.make(cell, measure)["budgets"]
        return budgets

    def _attack(self, threat: Threat, slices: Slices, stored: Path) -> dict[str, Any]:
        if not stored.is_file():
            with atomic_path(stored) as temporary:
                torch.save(self._curves(threat, slices, self.network, mean_dice), temporary)
        curves = torch.load(stored, weights_only=True)
        if self.guard is not None:
            watched = Watched(self.guard)
            accepted = self._curves(threat, slices, watched, watched.dice_of_accepted)
            curves = [first + second for first, second in zip(curves, accepted, strict=True)]
        found: list[dict[str, Any]] = []
        copies = [slices.image]
        for budget, images in zip(threat.budgets, curves, strict=True):
            # What is within a smaller budget is within this one.
            copies += images
            if self.guard is not None and threat.name == "L2":
                copies.append(self._through_guard(self.guard, slices, budget))
            found.append(self._lowest(slices, copies))
        return {"budgets": found}

    def _curves(self, threat: Threat, slices: Slices, network: nn.Module, quality: Quality) -> list[list[Tensor]]:
        """Slices attacked by all attacks, for each budget: of all steps the one of lowest quality."""
        options: dict[str, Any] = {"mask": slices.image > 0, "budgets": threat.budgets, "quality": quality}
        curves = [
            ladder(network, slices.image, slices.label, attack=attack, **options)
            for attack in threat.chosen(self.steps).values()
        ]
        return [[result.image for result in results] for results in zip(*curves, strict=True)]

    def _through_guard(self, guard: DefendedSegmenter, slices: Slices, budget: float) -> Tensor:
        """Slices attacked without crossing the threshold."""
        return selective_pgd(
            self.network,
            slices.image,
            slices.label,
            excess=guard.excess,
            radius=budget,
            steps=self.steps,
            mask=slices.image > 0,
        ).image

    def _lowest(self, slices: Slices, images: Sequence[Tensor]) -> dict[str, Any]:
        """Of the clean slice, the first, and attacked copies the lowest Dice among those that pass."""
        passed = torch.stack([self.accepted(image) for image in images])
        dice = torch.stack([self.dice(slices, image) for image in images])
        lowest = dice.masked_fill(~passed, torch.inf).amin(0)
        lowest = torch.where(passed.any(0), lowest, torch.nan)
        return {"dice": lowest.tolist(), "accepted": passed[1:].any(0).tolist()}
