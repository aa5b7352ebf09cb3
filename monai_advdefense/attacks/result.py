"""What an attack returns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from monai_advdefense.attacks.balls import Ball
from monai_advdefense.attacks.balls.parametric import ParametricBall
from monai_advdefense.attacks.climb import Reached
from monai_advdefense.attacks.no_effect import warn_of_no_effect

__all__ = ["AttackResult"]


@dataclass(frozen=True, eq=False)
class AttackResult:
    """Attacked images and, for each of the ``B`` samples, what the attack achieved on the image that is returned.

    Attributes:
        image: attacked images ``(B, C, *spatial)``, detached, in the dtype, units and range of the input.
        success: ``(B,)`` bool, every targeted pixel is no longer predicted as its label; of
            :func:`~monai_advdefense.attacks.selective_pgd` accepted, with more flipped pixels than the clean image.
            False for a sample without a targeted pixel: there was nothing to attack.
        flipped: ``(B,)`` fraction in [0, 1] of the targeted pixels that are no longer predicted as their label; pixels
            that were wrong before the attack count as flipped. 0 for a sample without a targeted pixel.
        iterations: ``(B,)`` int64, the steps that the sample took, also those after its best iterate.
        norm: ``(B,)`` L2 norm of the perturbation over all channels and pixels, in units of the image.
        parameters: ``(B, ...)`` of the ball, of attacks that can begin from another run's (``start``); else None.
    """

    image: Tensor
    success: Tensor
    flipped: Tensor
    iterations: Tensor
    norm: Tensor
    parameters: Tensor | None = None

    @classmethod
    def of_climb(cls, ball: Ball, reached: Reached, pixels: Tensor) -> AttackResult:
        """Give the result of a climb within ``ball`` on images with ``pixels`` ``(B,)`` targeted ones each.

        Warns:
            NoEffectWarning: nothing has changed, and the arguments are why.
        """
        gained = reached.quality < reached.quality_at_start
        tried = (pixels > 0) & (reached.quality_at_start > 0)
        limit = ball.limit if isinstance(ball, ParametricBall) else ball
        size = limit.reach("linf").flatten(1).amax(1)
        warn_of_no_effect(ball.center, size=size, gained=gained, moved=reached.moved, tried=tried)
        found = cls.counted(
            ball.center,
            ball.image(reached.point),
            success=(reached.flipped == pixels) & (pixels > 0),
            flipped=reached.flipped,
            pixels=pixels,
            steps=reached.iterations,
        )
        return replace(found, parameters=reached.point)

    @classmethod
    def counted(
        cls, center: Tensor, image: Tensor, *, success: Tensor, flipped: Tensor, pixels: Tensor, steps: Tensor | int
    ) -> AttackResult:
        """Give the result of ``steps``, one number or ``(B,)``, from ``center`` to ``image`` ``(B, C, *spatial)``."""
        return cls(
            image=image,
            success=success,
            flipped=flipped / pixels.clamp_min(1),
            iterations=(pixels > 0) * steps,
            norm=torch.linalg.vector_norm((image - center).flatten(1), dim=1),
        )
