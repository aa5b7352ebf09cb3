"""The attacks by which the robustness of a network is reported."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least, check_choice
from monai_advdefense.attacks.attack import Attack
from monai_advdefense.attacks.balls import bias_field, intensity_curve, l2, linf, low_frequencies
from monai_advdefense.attacks.balls.norm_ball import NORMS
from monai_advdefense.attacks.composed import composed_attack
from monai_advdefense.attacks.objectives import (
    balanced_cross_entropy,
    boundary,
    cospgd,
    cross_entropy,
    dag_logit,
    jensen_shannon,
    masked_cross_entropy,
    segpgd,
    soft_dice,
    structure_margin,
)
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.square import square
from monai_advdefense.attacks.steps import apgd, l2_step, momentum, sign

__all__ = ["standard_attacks"]


def standard_attacks(*, norm: str = "linf", n_steps: int = 20, n_queries: int = 100) -> dict[str, Attack]:
    """Attacks by name, all with a budget in the same norm and unit, so that the worst of them can be taken.

    Those on smooth changes (low frequencies, and with ``"linf"`` bias field and intensity curve) stay within the same
    ball as the others.

    Args:
        norm: ``"linf"``, the largest change of a pixel, or ``"l2"``, the root of the sum of squares.
        n_steps: steps of each; FGSM has one from the image, also on a :func:`~monai_advdefense.attacks.ladder`.
        n_queries: queries of the square attack, which needs no gradients; of ``"linf"`` alone.

    Returns:
        Attacks that are called as :func:`~monai_advdefense.attacks.composed_attack` is.

    Raises:
        InputError: if an argument is out of range.

    Example:
        >>> list(standard_attacks(norm="l2"))[:4]
        ['fgsm', 'pgd', 'momentum', 'segpgd']
    """
    check_choice("norm", norm, NORMS)
    check_at_least("n_steps", n_steps, 1)
    ball, plain = (linf, sign) if norm == "linf" else (l2, l2_step)
    make = partial(composed_attack, ball=ball, step=plain, n_steps=n_steps)
    climbing = partial(composed_attack, ball=ball, step=partial(apgd, norm=norm), n_steps=n_steps)
    smooth = partial(composed_attack, objective=soft_dice, step=partial(apgd, norm="l2"), n_steps=n_steps)
    attacks: dict[str, Attack] = {
        "fgsm": partial(_one_step, ball=ball, step=plain),
        "pgd": partial(make, objective=cross_entropy),
        "momentum": partial(make, objective=cross_entropy, step=partial(momentum, norm=norm)),
        "segpgd": partial(make, objective=segpgd),
        "cospgd": partial(make, objective=cospgd),
        "dag": partial(make, objective=dag_logit),
        "apgd_balanced": partial(climbing, objective=balanced_cross_entropy),
        "apgd_jensen_shannon": partial(climbing, objective=jensen_shannon),
        "apgd_masked": partial(climbing, objective=masked_cross_entropy),
        "apgd_dice": partial(climbing, objective=soft_dice),
        "apgd_margin": partial(climbing, objective=structure_margin),
        "apgd_boundary": partial(climbing, objective=boundary),
        "low_frequencies": partial(smooth, ball=partial(low_frequencies, norm=norm)),
    }
    if norm == "linf":
        attacks |= {
            "bias_field": partial(smooth, ball=bias_field),
            "intensity_curve": partial(smooth, ball=intensity_curve),
            "square": partial(square, n_queries=n_queries),
        }
    return attacks


def _one_step(
    network: nn.Module, image: Tensor, label: Tensor, *, start: Tensor | None = None, **options: Any
) -> AttackResult:
    """FGSM; from ``start`` it would be a walk of as many steps as there are budgets, so it is left out."""
    return composed_attack(network, image, label, n_steps=1, **options)
