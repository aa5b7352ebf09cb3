"""Attacked copies of slices, kept on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from experiments.defences.prepared import Prepared
from experiments.defences.threats import Threat
from experiments.defences.watched import Watched
from experiments.slices import Slices
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.attacks import ladder, mean_dice, selective_pgd
from monai_advdefense.attacks.quality import Quality
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.robustness.cells import Cells

__all__ = ["Copies", "blind_copies", "passing_copies", "slices_sha256"]

Copies: TypeAlias = list[list[Tensor]]
"""For each budget of a threat copies ``(N, 1, H, W)`` of all slices."""


def blind_copies(
    defence: Prepared, threat: Threat, slices: Slices, *, undefended: Prepared, images_dir: Path
) -> Copies:
    """Copies that an attacker makes within the brain who does not mind what is rejected.

    Each budget begins where the one before ended.

    Args:
        defence: what is attacked.
        threat: how.
        slices: of what the copies are.
        undefended: what one knows who knows the segmenter alone.
        images_dir: where copies lie; defences in front of the same networks share them.
    """
    known = undefended if threat.knows == "segmenter" else defence
    key = {"threat": repr(threat), "slices": slices_sha256(slices)}
    path = Cells(images_dir, of={"network": known.network_sha256}).path(key).with_suffix(".pt")
    if not path.is_file():
        with atomic_path(path) as temporary:
            torch.save(_climbed(threat, slices, known.network, mean_dice), temporary)
    copies: Copies = torch.load(path, weights_only=True)
    return copies


def passing_copies(guard: DefendedSegmenter, threat: Threat, slices: Slices, *, blind: Copies) -> Copies:
    """Copies that an attacker makes beside the ``blind`` ones who minds what a guard rejects.

    Of all steps the worst that passes is kept; where the threat says so, copies are made through the score as well.
    """
    if threat.knows == "segmenter":
        return [[] for _ in blind]
    copies = _watched(threat, slices, guard, blind)
    if threat.through_score:
        for images, budget in zip(copies, threat.budgets, strict=True):
            images += _through_score(threat, slices, guard, budget)
    return copies


def slices_sha256(slices: Slices) -> str:
    """Checksum of images and labels."""
    digest = hashlib.sha256()
    for part in (slices.image, slices.label):
        digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _watched(threat: Threat, slices: Slices, guard: DefendedSegmenter, blind: Copies) -> Copies:
    """Of all steps the worst that passes; of slices of which all blind copies pass it is these."""
    with torch.no_grad():
        passed = [guard.decide(image, guard.score(image)) for images in blind for image in images]
    rows = torch.nonzero(~torch.stack(passed).all(0))[:, 0]
    if not len(rows):
        return [[] for _ in blind]
    watched = Watched(guard)
    of_rejected = slices.at(rows.tolist())
    if threat.knows == "answers":
        climbed = _asked(threat, of_rejected, watched)
    else:
        climbed = _climbed(threat, of_rejected, watched, watched.dice_of_accepted)
    return [
        [last.index_copy(0, rows, image) for last, image in zip(images, again, strict=True)]
        for images, again in zip(blind, climbed, strict=True)
    ]


def _climbed(threat: Threat, slices: Slices, network: nn.Module, quality: Quality) -> Copies:
    """What all attacks reached for each budget: of all steps the one of lowest quality."""
    options: dict[str, Any] = {"mask": slices.image > 0, "budgets": threat.budgets, "quality": quality}
    curves = [
        ladder(network, slices.image, slices.label, attack=attack, **options) for attack in threat.chosen().values()
    ]
    return [[result.image for result in results] for results in zip(*curves, strict=True)]


def _asked(threat: Threat, slices: Slices, watched: Watched) -> Copies:
    """What a search without gradients reached for each budget that begins at the slice and goes where it passes."""
    options: dict[str, Any] = {"mask": slices.image > 0, "start": slices.image}
    options |= {"objective": watched.margin_of_accepted, "quality": watched.dice_of_accepted}
    return [
        [
            attack(watched, slices.image, slices.label, budget=budget, **options).image
            for attack in threat.chosen().values()
        ]
        for budget in threat.budgets
    ]


def _through_score(threat: Threat, slices: Slices, guard: DefendedSegmenter, budget: float) -> list[Tensor]:
    """What selective PGD reached without crossing the threshold, from each start."""
    network = nn.Sequential(guard.reformer, guard.segmenter)
    options: dict[str, Any] = {"excess": guard.excess, "steps": threat.steps, "mask": slices.image > 0}
    draws = torch.Generator().manual_seed(0)
    return [
        selective_pgd(network, slices.image, slices.label, radius=budget, generator=start, **options).image
        for start in (None, *[draws] * threat.restarts)
    ]
