"""Which pixels an attack wants to be missed, and how many of them are."""

from __future__ import annotations

from torch import Tensor

from monai_advdefense.attacks.arguments import check_label
from monai_advdefense.attacks.logits import predicted_as
from monai_advdefense.attacks.no_effect import warn_of_empty_mask

__all__ = ["NOT_TARGETED", "flipped_pixels", "segmentation_targets"]

NOT_TARGETED = -100
"""Class of a pixel that is not targeted: what ``torch.nn.functional.cross_entropy`` leaves out."""


def segmentation_targets(label: Tensor, image: Tensor, mask: Tensor | None, include_background: bool) -> Tensor:
    """Give the classes that an attack wants to be missed: ``label``, and -100 where a pixel is not targeted.

    Targeted are the pixels within the mask whose label is not 0, with ``include_background`` also those whose label
    is 0.

    Args:
        label: classes ``(B, *spatial)``.
        image: images ``(B, C, *spatial)``, for the shape and device.
        mask: bool ``(B or 1, 1 or C, *spatial)``, or None.
        include_background: also target pixels whose label is 0.

    Returns:
        int64 classes ``(B, *spatial)`` that share nothing with ``label``.

    Raises:
        InputError: if ``label`` does not fit ``image``.
    """
    check_label("label", label, (image.shape[0], *image.shape[2:]))
    classes = label.as_subclass(Tensor).long().clone()
    if not include_background:
        classes.masked_fill_(classes == 0, NOT_TARGETED)
    if mask is None:
        return classes
    warn_of_empty_mask(mask, classes != NOT_TARGETED)
    return classes.masked_fill(~mask.any(1), NOT_TARGETED)


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
