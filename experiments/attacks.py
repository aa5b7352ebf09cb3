"""The one list of attacks that are measured, and how each is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from experiments.corruptions import CORRUPTIONS, corrupted
from monai_advdefense.attacks import (
    AttackResult,
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
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.messages import broken_rule

TYPES = "ABC"
STRENGTHS = (1.0, 0.5, 0.125)
# L-infinity ball of FGSM and PGD, and steps of PGD in it, after Madry et al. 2018.
EPSILON = 8 / 255
PGD_STEPS = 20
PGD_STEP_SIZE = 2 / 255
INFORMED = "selective_pgd"
"""Form of the informed attacker, who knows the guard and optimizes against it."""
BUDGETS = (1.0, 1 / 3, 0.1)
INFORMED_STEPS = 60
# Share of the threshold that the informed attacker keeps as a distance: another batch rounds otherwise.
MARGIN = 1e-4


@dataclass(frozen=True)
class AttackSetting:
    """One attack.

    Attributes:
        form: ``"dag"`` as in Park et al. 2020; ``"xie"``, as in Xie et al. 2017, cut to 20 steps, kept in [0, 1] and
            without the background among the targeted pixels; ``"noise"``, the control: Rician noise;
            ``"selective_pgd"``, the informed attacker; ``"fgsm"``; ``"pgd"``; ``"corruption"``, an accident.
        target: ``"A"``, ``"B"``, ``"C"`` or ``"derangement"``; of noise, the target of the attack whose norm it has; of
            the informed attacker, the guard that it is made for; of FGSM and PGD ``"label"``, what they lead away from;
            of an accident its name in :data:`~experiments.corruptions.CORRUPTIONS`.
        strength: step size as a fraction of ``step_size_for(side)``; of the informed attacker, the L2 norm as a
            fraction of that of DAG type A at full strength; of FGSM and PGD, ball and steps as a fraction of those
            above; 1 of an accident.
        support: ``"brain"``, only pixels above 0 change, or ``"whole"``.
    """

    form: str
    target: str
    strength: float = 1.0
    support: str = "brain"

    @property
    def name(self) -> str:
        """Name for files and tables, for example ``dag_A_0.5_brain``."""
        return f"{self.form}_{self.target}_{self.strength:g}_{self.support}"

    @property
    def normed_by(self) -> AttackSetting | None:
        """The attack whose norm this one takes, None if it has its own."""
        if self.form == "noise":
            return AttackSetting("dag", self.target, self.strength, self.support)
        return AttackSetting("dag", "A") if self.form == INFORMED else None


def attack_settings(
    *,
    strengths: Iterable[float] = STRENGTHS,
    whole: Iterable[float] = STRENGTHS,
    noise: str = TYPES,
    guards: Iterable[str] = ("guard",),
) -> list[AttackSetting]:
    """DAG, the form of Xie et al., noise and the informed attacker; what takes its norm from another comes after it.

    Args:
        strengths: of DAG inside the brain, and of the noise.
        whole: strengths of DAG on the whole image.
        noise: types of DAG whose norms the noise has.
        guards: each is attacked by an informed attacker.
    """
    return [
        *(AttackSetting("dag", kind, strength) for strength in strengths for kind in TYPES),
        *(AttackSetting("dag", kind, strength, "whole") for strength in whole for kind in TYPES),
        AttackSetting("xie", "derangement"),
        *(AttackSetting("noise", kind, strength) for strength in strengths for kind in noise),
        *(AttackSetting(INFORMED, guard, budget) for guard in guards for budget in BUDGETS),
    ]


def baseline_attack_settings() -> list[AttackSetting]:
    """The attacks on the baselines: DAG at full strength, FGSM and PGD, brain only."""
    return [
        *(AttackSetting("dag", kind) for kind in TYPES),
        *(AttackSetting(form, "label") for form in ("fgsm", "pgd")),
    ]


def corruption_settings() -> list[AttackSetting]:
    """All accidents."""
    return [AttackSetting("corruption", name) for name in CORRUPTIONS]


def attacked(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    setting: AttackSetting,
    num_classes: int,
    generator: torch.Generator,
    norm: Tensor | None = None,
    steps: int = INFORMED_STEPS,
) -> dict[str, Tensor]:
    """Attack a batch of slices as a setting says.

    Args:
        network: segmentation network, from ``(B, 1, H, W)`` to logits; for the informed attacker a calibrated guard.
        image: slices ``(B, 1, H, W)`` in [0, 1].
        label: true classes ``(B, H, W)``.
        setting: the attack.
        num_classes: number of classes, background included.
        generator: source of random targets, noise and starts.
        norm: L2 norm ``(B,)`` of :attr:`AttackSetting.normed_by`, where the setting has one.
        steps: steps of the informed attacker.

    Returns:
        ``image`` ``(B, 1, H, W)``, ``norm`` ``(B,)`` of what was added in L2, and ``flipped`` ``(B,)``, the fraction of
        flipped pixels; NaN for noise and accidents, which have no targeted pixels.

    Raises:
        InputError: if the form or the target is unknown, or the norm is missing.
    """
    mask, strength = image > 0 if setting.support == "brain" else None, setting.strength
    if setting.form == "corruption":
        return _untargeted(image, corrupted(image, setting.target))
    if setting.form == "noise":
        return _untargeted(image, _noise(image, mask, _needed(norm, setting), generator))
    if setting.form == INFORMED:
        result = _informed(network, image, label, strength * _needed(norm, setting).to(image), steps)
    elif setting.form == "fgsm":
        result = fgsm(network, image, label, epsilon=strength * EPSILON, mask=mask)
    elif setting.form == "pgd":
        ball: dict[str, Any] = {"radius": strength * EPSILON, "step_size": strength * PGD_STEP_SIZE, "norm": "linf"}
        result = pgd(network, image, label, steps=PGD_STEPS, **ball, mask=mask, generator=generator)
    else:
        options = _dag_options(setting, image.shape[-1])
        target = _target(setting.target, label, num_classes, generator)
        result = dag(network, image, label, target=target, mask=mask, **options)
    return {"image": result.image, "norm": result.norm, "flipped": result.flipped}


def _needed(norm: Tensor | None, setting: AttackSetting) -> Tensor:
    if norm is None:
        source = setting.normed_by and setting.normed_by.name
        raise broken_rule("norm", f"the L2 norm of {source} for {setting.name}", "none", "make that attack first")
    return norm


def _untargeted(image: Tensor, changed: Tensor) -> dict[str, Tensor]:
    norm = torch.linalg.vector_norm((changed - image).flatten(1), dim=1)
    return {"image": changed, "norm": norm, "flipped": torch.full_like(norm, torch.nan)}


def _noise(image: Tensor, mask: Tensor | None, norm: Tensor, generator: torch.Generator) -> Tensor:
    # A slice with few pixels may be driven to 0, further than noise, which drives to 1, can reach.
    room = torch.linalg.vector_norm(torch.where(image > 0, 1 - image, 0.0).flatten(1), dim=1)
    return rician_noise(image, norm=torch.minimum(norm.to(room), 0.99 * room), mask=mask, generator=generator)


def _informed(guard: nn.Module, image: Tensor, label: Tensor, radius: Tensor, steps: int) -> AttackResult:
    if not isinstance(guard, DefendedSegmenter):
        raise broken_rule("network", "a guard for the informed attacker", type(guard).__name__, "give one")
    behind, margin = nn.Sequential(guard.reformer, guard.segmenter), MARGIN * float(guard.threshold.abs())

    def excess(batch: Tensor) -> Tensor:
        return guard.excess(batch).unsqueeze(1) + margin

    return selective_pgd(behind, image, label, excess=excess, radius=radius, steps=steps, mask=image > 0)


def _dag_options(setting: AttackSetting, side: int) -> dict[str, Any]:
    if setting.form == "dag":
        return {"step_size": setting.strength * step_size_for(side)}
    if setting.form == "xie":
        size = setting.strength * 0.5 / 255
        return {"step_size": size, "norm": "linf", "target_term": True, "stop": "all_flipped", "result": "best"}
    known = f"dag, xie, noise, fgsm, pgd, corruption or {INFORMED}"
    raise broken_rule("setting.form", known, repr(setting.form), "choose one of them")


def _target(name: str, label: Tensor, num_classes: int, generator: torch.Generator) -> Tensor:
    if name == "A":
        return all_background(label)
    if name == "B":
        return swap_most_frequent(label)
    if name == "C":
        return dilate_structure(label, generator=generator)
    if name == "derangement":
        return random_derangement(label, num_classes, generator=generator)
    raise broken_rule("setting.target", "A, B, C or derangement", repr(name), "choose one of them")
