"""Local texture: what nine high-pass filters leave of the inside of the object."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.linalg import vecdot
from torch.nn.functional import avg_pool2d

from monai_advdefense.guard.scores.foreground import eroded

__all__ = ["high_pass", "local_texture"]

# Square of a step of an 8-bit image times a tenth.
FLOOR = 1e-6
BLOCK = 8
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def local_texture(image: Tensor, mask: Tensor) -> Tensor:
    """Statistics of nine second and third differences inside the eroded object.

    For each filter: logarithm of the mean square, kurtosis and skewness, share of small values, correlation with the
    neighbour below and beside, and quantiles of the logarithm of the mean square over blocks of 8 x 8 pixels. Flat
    blocks show noise that edges drown.

    Args:
        image: ``(B, C, H, W)`` in [0, 1].
        mask: the object ``(B, 1, H, W)``, bool.

    Returns:
        ``(B, C * 99)``. Differentiable.
    """
    inside = eroded(mask, 3).to(image.dtype)
    share = avg_pool2d(inside, BLOCK, ceil_mode=True)
    return torch.cat([_statistics(filtered, inside, share) for filtered in high_pass(image)], dim=2).flatten(1)


def high_pass(image: Tensor) -> Iterator[Tensor]:
    """Second differences in four directions, their product, the mixed one, the Laplacian, and two third differences.

    Each has the shape of ``image`` ``(B, C, H, W)`` and unit gain for white noise; the frame repeats at its edges.
    """
    up, down = image.roll(1, -2), image.roll(-1, -2)
    left, right = image.roll(1, -1), image.roll(-1, -1)
    diagonal = up.roll(1, -1) + down.roll(-1, -1)
    other = up.roll(-1, -1) + down.roll(1, -1)
    twice = 2 * image
    vertical, horizontal = up + down - twice, left + right - twice
    yield vertical / 6**0.5
    yield horizontal / 6**0.5
    yield (diagonal - twice) / 6**0.5
    yield (other - twice) / 6**0.5
    yield (vertical.roll(1, -1) + vertical.roll(-1, -1) - 2 * vertical) / 6
    yield (image + down.roll(-1, -1) - down - right) / 2
    yield (vertical + horizontal) / 20**0.5
    yield (vertical.roll(-1, -2) - vertical) / 20**0.5
    yield (horizontal.roll(-1, -1) - horizontal) / 20**0.5


def _statistics(filtered: Tensor, inside: Tensor, share: Tensor) -> Tensor:
    """``(B, C, 11)`` of one filter, given the share of each block that lies inside."""
    count = inside.sum(dim=(2, 3)).clamp_min(1)
    width = filtered.shape[-1]
    value = filtered * inside
    square = value * value
    flat, flat_square = value.flatten(2), square.flatten(2)
    second = flat_square.sum(dim=2) / count
    deviation = (second + FLOOR).sqrt()
    third = vecdot(flat_square, flat) / count / deviation**3
    fourth = vecdot(flat_square, flat_square) / count / (second + FLOOR) ** 2
    magnitude = flat.abs().sum(dim=2) / count / deviation
    variance = (second + FLOOR) * count
    # The last pixel of a row and the first of the next are 0: the eroded mask does not reach them.
    below = vecdot(flat[..., width:], flat[..., :-width]) / variance
    beside = vecdot(flat[..., 1:], flat[..., :-1]) / variance
    moments = torch.stack([(second + FLOOR).log(), (fourth + 1).log(), third, magnitude, below, beside], dim=2)
    return torch.cat([moments, _block_quantiles(square, share)], dim=2)


def _block_quantiles(square: Tensor, share: Tensor) -> Tensor:
    """Quantiles ``(B, C, 5)`` of the logarithm of the mean square over the blocks that lie half inside."""
    mean = (avg_pool2d(square, BLOCK, ceil_mode=True) / share.clamp_min(1e-3)).flatten(2)
    used = (share >= 0.5).flatten(2).expand_as(mean)
    ordered = (mean + FLOOR).log().masked_fill(~used, torch.inf).sort(dim=2).values
    count = used.sum(dim=2, keepdim=True)
    place = torch.tensor(QUANTILES, device=mean.device) * (count - 1).clamp_min(0)
    found = ordered.gather(2, place.round().long())
    return torch.where(torch.isfinite(found), found, (mean.new_tensor(FLOOR)).log())
