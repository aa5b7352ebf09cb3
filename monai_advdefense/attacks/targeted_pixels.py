"""How many of the pixels that an attack wants to be missed are missed."""

from __future__ import annotations

from torch import Tensor

from monai_advdefense.attacks.logits import predicted_as

__all__ = ["NOT_TARGETED", "flipped_pixels"]

NOT_TARGETED = -100
"""Class of a pixel that is not targeted: what ``torch.nn.functional.cross_entropy`` leaves out."""


def flipped_pixels(logits: Tensor, targets: Tensor) -> Tensor:
    """Count ``(B,)`` the targeted pixels ``(B, *spatial)`` that logits ``(B, K, *spatial)`` do not predict as theirs.

    A tie of logits counts as predicted.

    Raises:
        InputError: if the highest logit of a pixel is not finite.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[[3.0, 0.0, 3.0], [1.0, 2.0, 1.0]]])
        >>> flipped_pixels(logits, torch.tensor([[1, 1, -100]]))
        tensor([1])
    """
    predicted = predicted_as(logits, targets.clamp_min(0).unsqueeze(1))[:, 0]
    flipped: Tensor = (~predicted & (targets != NOT_TARGETED)).flatten(1).sum(1)
    return flipped
