"""Where an image shows tissue: the mask that an attack stays within."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = ["foreground_mask"]


def foreground_mask(
    image: Tensor,
    *,
    above: float | None = None,
    percentile: float | None = None,
    channels: Sequence[int] | None = None,
) -> Tensor:
    """Tell where some channel of an image is above a value, whatever the units.

    Args:
        image: ``(B, C, *spatial)``.
        above: value of the background in units of the image: 0 for scaled images, -500 or so for Hounsfield units.
        percentile: in [0, 100], of the values of each image, instead of ``above``: for z-scores, whose background has
            no value of its own that is known.
        channels: those that may change; None leaves that open.

    Returns:
        bool ``(B, 1, *spatial)``; with ``channels`` ``(B, C, *spatial)``, false in the others.

    Raises:
        InputError: unless one of ``above`` and ``percentile`` is given, or if a channel or percentile is out of range.

    Example:
        >>> foreground_mask(torch.tensor([[[-1000.0, 40.0, -950.0]]]), above=-500)
        tensor([[[False,  True, False]]])
    """
    image = image.detach().as_subclass(Tensor)
    if above is not None and percentile is None:
        # An integer would take the type of the image, in which it may wrap around.
        background: Tensor | float = float(above)
    elif percentile is not None and above is None:
        background = _percentile(image, percentile)
    else:
        raise broken_rule("above", "either above or percentile", "both or none", "give one of them")
    inside = (image > background).any(1, keepdim=True)
    if channels is None:
        return inside
    if not all(0 <= channel < image.shape[1] for channel in channels):
        raise broken_rule("channels", f"0 to {image.shape[1] - 1}", list(channels), "0 is the first")
    chosen = torch.zeros(image.shape[1], dtype=torch.bool, device=image.device)
    chosen[list(channels)] = True
    return inside & chosen.view(1, -1, *[1] * (image.ndim - 2))


def _percentile(image: Tensor, percentile: float) -> Tensor:
    """That of all values of each image ``(B, C, *spatial)``, as ``(B, 1, ...)``."""
    if not 0 <= percentile <= 100:
        raise broken_rule("percentile", "0 to 100", percentile, "50 is the median")
    ordered = image.flatten(1).sort(1).values
    place = round(percentile / 100 * (ordered.shape[1] - 1))
    return ordered[:, place].view(-1, *[1] * (image.ndim - 1))
