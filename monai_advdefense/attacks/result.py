"""What an attack returns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

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
    """

    image: Tensor
    success: Tensor
    flipped: Tensor
    iterations: Tensor
    norm: Tensor

    @classmethod
    def counted(
        cls, center: Tensor, image: Tensor, *, success: Tensor, flipped: Tensor, pixels: Tensor, steps: int
    ) -> AttackResult:
        """Give the result of ``steps`` steps from ``center`` to ``image`` ``(B, C, *spatial)``, by pixels ``(B,)``."""
        return cls(
            image=image,
            success=success,
            flipped=flipped / pixels.clamp_min(1),
            iterations=(pixels > 0) * steps,
            norm=torch.linalg.vector_norm((image - center).flatten(1), dim=1),
        )
