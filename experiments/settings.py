"""The attacks that are measured: form, target, strength and support of each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from experiments.corruptions import CORRUPTIONS, corrupted
from monai_advdefense.attacks import (
    all_background,
    dag,
    dilate_structure,
    fgsm,
    pgd,
    random_derangement,
    rician_noise,
    selective_pgd,
    step_size_for,
    swap_most_frequent,
)
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter

__all__ = [
    "BUDGETS",
    "EPSILON",
    "PGD_STEPS",
    "PGD_STEP_SIZE",
    "SELECTIVE_STEPS",
    "AttackSetting",
    "attack_settings",
    "attacked",
    "attacked_by_insider",
    "corruption_settings",
]

# L-infinity ball of FGSM and PGD, and steps of PGD in it, after Madry et al. 2018.
EPSILON = 8 / 255
PGD_STEPS = 20
PGD_STEP_SIZE = 2 / 255
BUDGETS = (1.0, 1 / 3, 0.1)
SELECTIVE_STEPS = 60
# Share of the threshold that the attacker who knows the guard keeps as a distance: another batch rounds otherwise.
MARGIN = 1e-4


@dataclass(frozen=True)
class AttackSetting:
    """One attack.

    Attributes:
        form: ``"dag"``, the runs of Park et al. 2020 (defaults of :func:`monai_advdefense.attacks.dag`); ``"xie"``, the
            form of Xie et al. 2017 (L-infinity steps of 0.5/255, target logit, early stop, best iterate), cut to 20
            steps, kept in [0, 1] and without the background among the targeted pixels; ``"noise"``, the control:
            Rician noise; ``"selective_pgd"``, the attacker who knows the guard; ``"fgsm"`` and ``"pgd"``, within an
            L-infinity ball of 8/255, PGD with 20 steps of 2/255 from a random start; ``"corruption"``, an accident.
        target: ``"A"``, ``"B"``, ``"C"`` or ``"derangement"``; of noise, the target of the attack whose norm it has; of
            selective PGD, the guard that it is made for; of FGSM and PGD ``"label"``, what they lead away from; of an
            accident its name in :data:`~experiments.corruptions.CORRUPTIONS`.
        strength: step size as a fraction of ``step_size_for(side)``; of selective PGD, the L2 norm as a fraction of
            that of DAG type A at full strength; of FGSM and PGD, ball and steps as a fraction of those above; 1 of an
            accident.
        support: ``"brain"``, only pixels above 0 change, or ``"whole"``.
    """

    form: str
    target: str
    strength: float
    support: str

    @property
    def name(self) -> str:
        """Name for files and tables, for example ``dag_A_0.5_brain``."""
        return f"{self.form}_{self.target}_{self.strength:g}_{self.support}"


def attack_settings() -> list[AttackSetting]:
    """All settings; what takes its norm from another attack comes after that."""
    brain = [AttackSetting("dag", target, strength, "brain") for strength in (1.0, 0.5, 0.125) for target in "ABC"]
    noise = [AttackSetting("noise", "A", strength, "brain") for strength in (1.0, 0.5, 0.125)]
    whole = [AttackSetting("dag", target, 1.0, "whole") for target in "ABC"]
    selective = [AttackSetting("selective_pgd", "guard", budget, "brain") for budget in BUDGETS]
    return [*brain, *noise, *whole, AttackSetting("xie", "derangement", 1.0, "brain"), *selective]


def corruption_settings() -> list[AttackSetting]:
    """All accidents."""
    return [AttackSetting("corruption", name, 1.0, "brain") for name in CORRUPTIONS]


def attacked(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    setting: AttackSetting,
    num_classes: int,
    generator: torch.Generator,
    norm: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Attack a batch of slices as a setting says.

    Args:
        network: segmentation network, from ``(B, 1, H, W)`` to logits.
        image: slices ``(B, 1, H, W)`` in [0, 1].
        label: true classes ``(B, H, W)``.
        setting: the attack.
        num_classes: number of classes, background included.
        generator: source of random targets, noise and starts.
        norm: for noise: L2 norm ``(B,)`` of the attack that it stands beside.

    Returns:
        Attacked slices, the L2 norm ``(B,)`` of what was added, and the fraction ``(B,)`` of flipped targeted pixels,
        which noise and accidents do not have (NaN).

    Raises:
        InputError: if the form or the target is unknown, or noise has no norm.
    """
    mask = image > 0 if setting.support == "brain" else None
    if setting.form == "corruption":
        spoilt = corrupted(image, setting.target)
        change = torch.linalg.vector_norm((spoilt - image).flatten(1), dim=1)
        return spoilt, change, torch.full_like(change, torch.nan)
    if setting.form == "noise":
        # A slice with few pixels may be driven to 0, further than noise, which drives to 1, can reach.
        if norm is None:
            raise InputError("norm: expected the L2 norm of the noise, found none; give that of the attack beside it")
        room = torch.linalg.vector_norm(torch.where(image > 0, 1 - image, 0.0).flatten(1), dim=1)
        aim = torch.minimum(norm.to(room), 0.99 * room)
        noisy = rician_noise(image, norm=aim, mask=mask, generator=generator)
        return noisy, torch.linalg.vector_norm((noisy - image).flatten(1), dim=1), torch.full_like(aim, torch.nan)
    if setting.form == "fgsm":
        result = fgsm(network, image, label, epsilon=setting.strength * EPSILON, mask=mask)
    elif setting.form == "pgd":
        result = pgd(
            network,
            image,
            label,
            radius=setting.strength * EPSILON,
            steps=PGD_STEPS,
            step_size=setting.strength * PGD_STEP_SIZE,
            norm="linf",
            mask=mask,
            generator=generator,
        )
    elif setting.form == "xie":
        result = dag(
            network,
            image,
            label,
            target=_target(setting.target, label, num_classes, generator),
            step_size=setting.strength * 0.5 / 255,
            norm="linf",
            target_term=True,
            mask=mask,
            stop="all_flipped",
            result="best",
        )
    elif setting.form == "dag":
        target = _target(setting.target, label, num_classes, generator)
        step_size = setting.strength * step_size_for(image.shape[-1])
        result = dag(network, image, label, target=target, step_size=step_size, mask=mask)
    else:
        raise InputError(
            f"setting.form: expected dag, xie, noise, fgsm, pgd or corruption, found {setting.form!r}; the attacker "
            "who knows the guard is attacked_by_insider"
        )
    return result.image, result.norm, result.flipped


def _target(name: str, label: Tensor, num_classes: int, generator: torch.Generator) -> Tensor:
    if name == "A":
        return all_background(label)
    if name == "B":
        return swap_most_frequent(label)
    if name == "C":
        return dilate_structure(label, generator=generator)
    if name == "derangement":
        return random_derangement(label, num_classes, generator=generator)
    raise InputError(f"setting.target: expected A, B, C or derangement, found {name!r}; choose one of them")


def attacked_by_insider(
    guard: DefendedSegmenter, image: Tensor, label: Tensor, *, radius: Tensor, steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Attack a batch of slices as one does who knows the guard, brain only; see :func:`attacked` for the results.

    Args:
        guard: detector, reformer and segmenter in evaluation mode, calibrated.
        image: slices ``(B, 1, H, W)`` in [0, 1].
        label: true classes ``(B, H, W)``.
        radius: largest L2 norm ``(B,)`` of each perturbation.
        steps: number of steps.
    """
    behind = nn.Sequential(guard.reformer, guard.segmenter)
    margin = MARGIN * float(guard.threshold.abs())

    def excess(batch: Tensor) -> Tensor:
        return guard.excess(batch).unsqueeze(1) + margin

    result = selective_pgd(behind, image, label, excess=excess, radius=radius.to(image), steps=steps, mask=image > 0)
    return result.image, result.norm, result.flipped
