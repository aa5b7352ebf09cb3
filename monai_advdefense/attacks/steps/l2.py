"""Steps along the gradient."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from monai_advdefense.attacks.balls import Ball
from monai_advdefense.attacks.balls.norm_ball import unit
from monai_advdefense.attacks.steps.step import Here, step_share

__all__ = ["l2_step"]


def l2_step(here: Here, ball: Ball, memory: Any = None, *, size: Tensor | None = None) -> tuple[Tensor, Any]:
    """Move by an L2 length of ``size`` ``(B, 1, ...)`` along the gradient; see :class:`Step`.

    None takes :func:`step_share` of the way to the surface.
    """
    length = ball.reach("l2") * step_share(here.n_steps) if size is None else size
    return ball.project(here.point + length * unit(here.gradient)), None
