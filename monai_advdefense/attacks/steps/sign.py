"""Steps along the sign of the gradient."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from monai_advdefense.attacks.balls import Ball
from monai_advdefense.attacks.steps.step import Here, step_share

__all__ = ["sign"]


def sign(here: Here, ball: Ball, memory: Any = None, *, size: Tensor | None = None) -> tuple[Tensor, Any]:
    """Move every parameter by ``size`` ``(B, 1, ...)`` along the sign of its gradient; see :class:`Step`.

    None takes :func:`step_share` of the way to the surface.

    Source:
        Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples" (ICLR 2015).
    """
    length = ball.reach("linf") * step_share(here.n_steps) if size is None else size
    return ball.project(here.point + length * here.gradient.sign()), None
