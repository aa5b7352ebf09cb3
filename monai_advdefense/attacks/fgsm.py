"""The fast gradient sign method (FGSM): one step of the size of the whole budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_image, per_sample
from monai_advdefense.attacks.pgd import pgd
from monai_advdefense.attacks.result import AttackResult

__all__ = ["fgsm"]


def fgsm(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    epsilon: Tensor | float,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    include_background: bool = False,
    activation: str = "softmax",
    logits_of: Callable[[Any], Tensor] | None = None,
    ignore_index: int | None = None,
) -> AttackResult:
    """Move every pixel by ``epsilon`` along the sign of the gradient of the segmentation loss (FGSM).

    This is :func:`~monai_advdefense.attacks.pgd` with one L-infinity step of the size of the ball; loss, targeted
    pixels and what is left untouched are described there. A pixel whose gradient is zero does not move.

    Args:
        network: differentiable map from images to logits ``(B, K, *spatial)``.
        image: images ``(B, C, *spatial)``, any number of spatial dimensions, on the device of the network.
        label: true or predicted classes ``(B, *spatial)``.
        epsilon: change of a pixel in units of the image, one number or ``(B,)``; 0 is the identity.
        mask: ``(B or 1, 1 or C, *spatial)``, the perturbation lives only where it is true (not zero).
        bounds: lowest and highest value of an image, or None.
        include_background: also attack pixels whose label is 0.
        activation: ``"softmax"``, or ``"sigmoid"`` for networks with one channel for each structure, one or more.
        logits_of: from what the network returns to the logits; None if it returns them.
        ignore_index: value of the label whose pixels do not count.

    Returns:
        Attacked images and what was achieved on them.

    Raises:
        InputError: if an argument does not fit the others, or logits or gradients are not finite.

    Source:
        Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples" (ICLR 2015).

    Example:
        >>> import torch
        >>> image = torch.tensor([[[0.5], [0.4]]])  # (B, C, W), its own logits
        >>> fgsm(nn.Identity(), image, torch.tensor([[1]]), epsilon=0.125).image
        tensor([[[0.6250],
                 [0.2750]]])
    """
    check_image(image)
    size = per_sample("epsilon", epsilon, image).flatten()
    return pgd(
        network,
        image,
        label,
        radius=size,
        steps=1,
        step_size=size,
        norm="linf",
        mask=mask,
        bounds=bounds,
        include_background=include_background,
        activation=activation,
        logits_of=logits_of,
        ignore_index=ignore_index,
    )
