"""The one call form of attacks with a budget."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from monai_advdefense.attacks.result import AttackResult

__all__ = ["Attack"]


class Attack(Protocol):
    """An attack with a budget: :func:`~monai_advdefense.attacks.composed_attack` and all that is called as it is.

    Args:
        network: from images to logits, or to what ``logits_of`` picks them of.
        image: ``(B, C, *spatial)``.
        label: ``(B, *spatial)``, or ``(B, L, *spatial)`` for a sigmoid.
        budget: one number or ``(B,)``, in units of the image.
        options: ``mask``, ``bounds``, ``include_background``, ``activation``, ``logits_of``, ``ignore_index``,
            ``quality``, ``start`` and ``generator``.
    """

    def __call__(
        self, network: nn.Module, image: Tensor, label: Tensor, *, budget: Tensor | float, **options: Any
    ) -> AttackResult:
        """Attacked images ``(B, C, *spatial)`` and what was achieved on them."""
        ...
