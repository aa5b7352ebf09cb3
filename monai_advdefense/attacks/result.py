"""What an attack returns."""

from __future__ import annotations

from dataclasses import dataclass

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
