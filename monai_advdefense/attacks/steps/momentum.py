"""Steps along a gradient that remembers those before it."""

from __future__ import annotations

from torch import Tensor

from monai_advdefense.attacks.arguments import check_choice
from monai_advdefense.attacks.balls import Ball
from monai_advdefense.attacks.balls.norm_ball import NORMS, unit
from monai_advdefense.attacks.steps.step import Here, step_share

__all__ = ["direction", "momentum"]


def momentum(
    here: Here, ball: Ball, memory: Tensor | None = None, *, norm: str = "linf", decay: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Move along the sum of all gradients, each over its L1 norm, older ones ``decay`` times less; see :class:`Step`.

    The memory is that sum ``(B, ...)``. Such perturbations carry over to other networks better.

    Source:
        Dong et al., "Boosting Adversarial Attacks with Momentum" (CVPR 2018), algorithm 1.
    """
    scale = here.gradient.abs().flatten(1).sum(1).view(-1, *[1] * (here.gradient.ndim - 1))
    gathered = here.gradient / scale.clamp_min(1e-30)
    if memory is not None:
        gathered = gathered + decay * memory
    length = ball.reach(norm) * step_share(here.n_steps)
    return ball.project(here.point + length * direction(gathered, norm)), gathered


def direction(gradient: Tensor, norm: str) -> Tensor:
    """Steepest way up ``(B, ...)`` for steps of equal length in a norm: sign, or gradient over its length."""
    check_choice("norm", norm, NORMS)
    return gradient.sign() if norm == "linf" else unit(gradient)
