"""The smallest budget with which an attack succeeds, image by image."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least, check_image, check_positive
from monai_advdefense.attacks.attack import Attack
from monai_advdefense.attacks.no_effect import NoEffectWarning
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.messages import broken_rule

__all__ = ["SmallestBudget", "smallest_budget"]


@dataclass(frozen=True, eq=False)
class SmallestBudget:
    """The smallest budget found for each of ``B`` images.

    Attributes:
        budget: ``(B,)`` in units of the image; infinite where the highest was not enough.
        image: ``(B, C, *spatial)``, attacked within it; the image itself where the highest was not enough.
    """

    budget: Tensor
    image: Tensor


def smallest_budget(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    attack: Attack,
    highest: float,
    lost: float = 0.99,
    n_tries: int = 12,
    **options: Any,
) -> SmallestBudget:
    """Bisect for the budget from which on an attack flips a share of the targeted pixels.

    The first try is with ``highest``; budgets are halved until one fails, then bisected by their logarithm. A try
    begins both from the image and from the last success, taken back to the smaller ball.

    Args:
        network: see :func:`~monai_advdefense.attacks.composed_attack`, as for ``image`` and ``label``.
        image: images ``(B, C, *spatial)``.
        label: classes, such as ``(B, *spatial)``.
        attack: attack that takes ``start`` and gives ``parameters``, as composed ones do.
        highest: largest budget that is tried, in units of the image.
        lost: share of the targeted pixels in (0, 1] that is to be flipped.
        n_tries: number of budgets that are tried.
        options: further arguments of the attack.

    Raises:
        InputError: if an argument is out of range, or as of the attack.

    Example:
        >>> from monai_advdefense.attacks import composed_attack
        >>> image, label = torch.tensor([[[0.6], [0.4]]]), torch.tensor([[0]])  # its own logits, a margin of 0.2
        >>> options = {"attack": composed_attack, "include_background": True, "highest": 1.0, "n_tries": 20}
        >>> f"{smallest_budget(nn.Identity(), image, label, **options).budget.item():.3f}"
        '0.100'
    """
    check_at_least("n_tries", n_tries, 1)
    if not 0 < lost <= 1:
        raise broken_rule("lost", "a share in (0, 1]", lost, "0.99 is usual")
    check_positive("highest", highest)
    check_image(image)
    failed = torch.zeros(len(image), dtype=torch.float64)
    least = torch.full_like(failed, torch.inf)
    attacked, warm = image.detach().as_subclass(Tensor).clone(), None
    tried = torch.full_like(failed, highest)
    given_up = torch.zeros(len(image), dtype=torch.bool)
    for _ in range(n_tries):
        budget = tried.to(image)
        found = _better_of_starts(network, image, label, attack, budget, warm, options)
        succeeded = (found.flipped >= lost).cpu() & ~given_up
        here = succeeded.to(image.device)
        attacked = _chosen(here, found.image, attacked)
        if found.parameters is None:
            raise broken_rule("attack", "one that gives parameters to go on from", "none", "give a composed attack")
        warm = found.parameters if warm is None else _chosen(here, found.parameters, warm)
        least = torch.where(succeeded, tried, least)
        # What fails with the highest budget has nothing smaller to try, also where others of the batch go on.
        given_up = least.isinf()
        if given_up.all():
            break
        failed = torch.where(succeeded, failed, torch.maximum(failed, tried))
        between = torch.where(failed > 0, (failed * least).sqrt(), least / 2)
        tried = torch.where(given_up, highest, between)
    return SmallestBudget(least.to(image), attacked)


def _better_of_starts(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    attack: Attack,
    budget: Tensor,
    warm: Tensor | None,
    options: dict[str, Any],
) -> AttackResult:
    """The better of a run from the image and one from parameters ``warm`` ``(B, ...)``, image by image."""
    with warnings.catch_warnings():
        # That small budgets do nothing is what is looked for.
        warnings.simplefilter("ignore", NoEffectWarning)
        cold = attack(network, image, label, budget=budget, **options)
        if warm is None:
            return cold
        other = attack(network, image, label, budget=budget, start=warm, **options)
    better = other.flipped > cold.flipped
    return AttackResult(
        *(_chosen(better, getattr(other, each.name), getattr(cold, each.name)) for each in fields(cold))
    )


def _chosen(where: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """The first of two where ``(B,)`` is true, image by image."""
    return torch.where(where.view(-1, *[1] * (first.ndim - 1)), first, second)
