"""What a network is put through: nothing, an attack or a corruption, each at several levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_advdefense.attacks import ladder, selective_pgd, standard_attacks
from monai_advdefense.attacks.quality import mean_dice
from monai_advdefense.corruptions import CORRUPTIONS, calibrated
from monai_advdefense.robustness.guarded import Subject
from monai_advdefense.robustness.settings import Settings

__all__ = ["GUARD_ATTACK", "Condition", "conditions", "spoilt_images"]

GUARD_ATTACK = "selective PGD"
"""The attack of one who knows the guard."""
_BATCH = 4


@dataclass(frozen=True)
class Condition:
    """One attack or corruption.

    Attributes:
        kind: ``"clean"``, ``"attack"``, ``"guard attack"`` or ``"corruption"``.
        name: of the attack or corruption.
        levels: budgets or relative changes, rising.
    """

    kind: str
    name: str
    levels: tuple[float, ...]


def conditions(settings: Settings, *, guarded: bool) -> list[Condition]:
    """All that is measured, the clean images first."""
    attacks = [Condition("attack", name, tuple(settings.budgets)) for name in settings.attacks]
    informed = [Condition("guard attack", GUARD_ATTACK, tuple(settings.budgets))] if guarded else []
    corruptions = [
        Condition("corruption", name, tuple(settings.changes if CORRUPTIONS[name].graded else settings.changes[-1:]))
        for name in settings.corruptions
    ]
    return [Condition("clean", "clean", (0.0,)), *attacks, *informed, *corruptions]


def spoilt_images(
    condition: Condition,
    subject: Subject,
    image: Tensor,
    label: Tensor,
    *,
    settings: Settings,
    mask: Tensor | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels under a condition, level by level.

    Args:
        condition: what they are put through.
        subject: what is attacked.
        image: ``(B, C, *spatial)`` in [0, 1].
        label: classes ``(B, *spatial)``, or of a sigmoid 0 and 1 ``(B, L, *spatial)``.
        settings: of the report.
        mask: ``(B, 1, *spatial)``, where attacks and corruptions may change the image, or None.
    """
    if condition.kind == "clean":
        yield image, label
    elif condition.kind == "corruption":
        channels = label if settings.activation == "sigmoid" else label.unsqueeze(1)
        for change in condition.levels:
            found = calibrated(image, name=condition.name, change=change, label=channels, mask=mask)
            moved = channels if found.label is None else found.label
            yield found.image, moved if settings.activation == "sigmoid" else moved[:, 0]
    elif condition.kind == "attack":
        yield from ((one, label) for one in _attacked(condition, subject, image, label, settings, mask))
    else:
        for budget in condition.levels:
            yield _around_the_guard(subject, image, label, budget, mask), label


def _attacked(
    condition: Condition, subject: Subject, image: Tensor, label: Tensor, settings: Settings, mask: Tensor | None
) -> list[Tensor]:
    """Attacked images ``(B, C, *spatial)``, one batch for each budget."""
    attack = standard_attacks(n_steps=settings.steps)[condition.name]
    options = {"attack": attack, "activation": settings.activation, "quality": mean_dice}
    masks = [None] * len(image) if mask is None else mask.split(_BATCH)
    parts = [
        ladder(subject.network, some, labels, budgets=condition.levels, mask=masks[place], **options)  # type: ignore[arg-type]
        for place, (some, labels) in enumerate(zip(image.split(_BATCH), label.split(_BATCH), strict=True))
    ]
    return [torch.cat([part[level].image for part in parts]) for level in range(len(condition.levels))]


def _around_the_guard(subject: Subject, image: Tensor, label: Tensor, budget: float, mask: Tensor | None) -> Tensor:
    """Attack guard and network at once, within the L2 ball that holds the L-infinity ball of the budget."""
    guarded = subject.guarded
    assert guarded is not None  # noqa: S101
    free = torch.ones_like(image) if mask is None else mask.expand_as(image).to(image)
    radius = budget * free.flatten(1).sum(1).sqrt()
    parts = zip(*(whole.split(_BATCH) for whole in (image, label, radius, free)), strict=True)
    return torch.cat(
        [
            selective_pgd(guarded.network, some, labels, excess=guarded.excess, radius=radii, mask=inside[:, :1]).image
            for some, labels, radii, inside in parts
        ]
    )
