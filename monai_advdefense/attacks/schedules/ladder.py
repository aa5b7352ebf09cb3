"""Ladder of budgets: one run that gives the whole curve."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_positive
from monai_advdefense.attacks.attack import Attack
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.messages import broken_rule

__all__ = ["ladder"]


def ladder(
    network: nn.Module, image: Tensor, label: Tensor, *, attack: Attack, budgets: Sequence[float], **options: Any
) -> list[AttackResult]:
    """Attack with growing budgets, each from where the one before ended; quality never rises with the budget.

    Every rung is a run of its own within its ball. The other way round, a run with a large budget taken back to a small
    ball, is far weaker.

    Args:
        network: see :func:`~monai_advdefense.attacks.composed_attack`, as for ``image`` and ``label``.
        image: images ``(B, C, *spatial)``.
        label: classes, such as ``(B, *spatial)``.
        attack: attack that takes ``start`` and gives ``parameters``, as composed ones do.
        budgets: rising numbers, in units of the image.
        options: further arguments of the attack.

    Returns:
        One result for each budget; ``iterations`` are those of its rung.

    Raises:
        InputError: if the budgets do not rise, or as of the attack.

    Example:
        >>> import torch
        >>> from monai_advdefense.attacks import composed_attack
        >>> image, label = torch.tensor([[[0.6, 0.9], [0.4, 0.1]]]), torch.tensor([[0, 0]])
        >>> network, options = nn.Identity(), {"attack": composed_attack, "include_background": True}
        >>> curve = ladder(network, image, label, budgets=[0.05, 0.2, 0.5], **options)
        >>> [float(rung.flipped) for rung in curve]
        [0.0, 0.5, 1.0]
    """
    for budget in budgets:
        check_positive("budgets", budget, zero=True)
    if not len(budgets) or any(second <= first for first, second in pairwise(budgets)):
        raise broken_rule("budgets", "numbers that rise", list(budgets), "sort them and leave out doubles")
    results: list[AttackResult] = []
    for budget in budgets:
        start = results[-1].parameters if results else None
        results.append(attack(network, image, label, budget=budget, start=start, **options))
    return results
