"""The object in a slice: its mask, its mask without the edge, its area, and where a slice lies in a volume."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["area", "box_sum", "crop_to_foreground", "eroded", "foreground", "slice_position"]


def foreground(image: Tensor, threshold: float = 0.02) -> Tensor:
    """Pixels that show the object, ``(B, 1, H, W)`` bool: some channel is above ``threshold``.

    Args:
        image: ``(B, C, H, W)`` in [0, 1].
        threshold: what resampling and rounding leave beside the object is fainter.
    """
    return (image > threshold).any(dim=1, keepdim=True)


def eroded(mask: Tensor, pixels: int = 3) -> Tensor:
    """The mask ``(B, 1, H, W)`` without what lies within ``pixels`` of its edge (a square window); bool."""
    inside = box_sum(mask.to(torch.float32), pixels)
    # Beyond the frame nothing is known of the object.
    return inside > (2 * pixels + 1) ** 2 - 0.5


def box_sum(image: Tensor, radius: int) -> Tensor:
    """Sum over the square of ``2 * radius + 1`` pixels around each pixel of ``image`` ``(..., H, W)``; 0 beyond it."""
    rows, columns = (_band(image.shape[axis], radius).to(image) for axis in (-2, -1))
    return rows @ image @ columns


def _band(length: int, radius: int) -> Tensor:
    """Matrix ``(length, length)`` of ones within ``radius`` of the diagonal: products with it are fast sums."""
    place = torch.arange(length)
    return (place[:, None] - place[None]).abs() <= radius


def area(mask: Tensor, spacing: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    """Area of the mask ``(B, 1, H, W)`` in mm^2, ``(B,)``, for pixels of ``spacing`` mm."""
    return mask.flatten(1).sum(dim=1) * (spacing[0] * spacing[1])


def slice_position(areas: Tensor) -> Tensor:
    """Place of each slice of a volume in the object's extent: 0 for its first slice, 1 for its last.

    Args:
        areas: area of the object in each slice ``(S,)``, in the order of the slices.

    Returns:
        ``(S,)``, in [0, 1] for slices that show the object; 0.5 for all if there are fewer than two.

    Example:
        >>> slice_position(torch.tensor([0.0, 10.0, 30.0, 10.0]))
        tensor([0.0000, 0.0000, 0.5000, 1.0000])
    """
    filled = torch.nonzero(areas > 0).flatten()
    if len(filled) < 2:
        return torch.full(areas.shape, 0.5, device=areas.device)
    first, last = int(filled[0]), int(filled[-1])
    place = torch.arange(len(areas), dtype=torch.float32, device=areas.device)
    return ((place - first) / (last - first)).clamp(0, 1)


def crop_to_foreground(image: Tensor, mask: Tensor, margin: int = 4, grid: int = 8) -> tuple[Tensor, Tensor]:
    """Image ``(B, C, H, W)`` and mask ``(B, 1, H, W)`` cut to the box around all masks and ``margin`` pixels.

    The box begins and ends at multiples of ``grid`` pixels, so that what divides the image into blocks, or counts
    pixels inside the mask, finds the same on the cut images, whatever the other samples are.
    """
    used = mask.flatten(0, 1).any(dim=0)
    box = []
    for line in (used.any(dim=1), used.any(dim=0)):
        places = torch.nonzero(line).flatten()
        first, last = (int(places[0]), int(places[-1])) if len(places) else (0, 0)
        start = max(first - margin, 0) // grid * grid
        box.append(slice(start, min(-((-last - margin - 1) // grid) * grid, len(line))))
    return image[..., box[0], box[1]], mask[..., box[0], box[1]]
