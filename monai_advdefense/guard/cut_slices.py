"""Slices of an image in the form that detector and reformer take, and the way back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from monai.transforms.utils import generate_spatial_bounding_box
from monai.transforms.utils_pytorch_numpy_unification import percentile
from nibabel import orientations
from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = ["CutSlices", "cut_slices", "join_slices", "oriented_axis", "reorient", "reorient_back"]

# Those of the bundles' preprocessing, so that a detector sees what it was calibrated on.
_PERCENTILES = (0.0, 99.5)
_FULL = slice(None)


@dataclass(frozen=True)
class CutSlices:
    """Slices of one channel, with what it takes to put them back.

    Attributes:
        image: ``(S, 1, *slice_size)``, float32 in [0, 1].
        source: the same slices as they were ``(S, 1, *spatial)``.
        slice_dim: axis of the channel that counts the slices; None is one slice.
        low: value of the channel that became 0.
        high: value of the channel that became 1.
        floor: value of the background; what is not above it was not scanned, or is nothing.
        box: where ``image`` was in ``source``, for each axis of a slice.
        place: where that is in ``image``.
    """

    image: Tensor
    source: Tensor
    slice_dim: int | None
    low: float
    high: float
    floor: float
    box: tuple[slice, ...]
    place: tuple[slice, ...]


def cut_slices(
    channel: Tensor,
    slice_dim: int | None,
    *,
    value_range: Sequence[float] | None = None,
    slice_size: Sequence[int] | None = None,
    name: str = "image",
) -> CutSlices:
    """Cut a channel into slices, scale them to [0, 1], crop them to the foreground and pad them.

    For a volume in the orientation of the bundles, 1 mm, that gives the slices of their preprocessing.

    Args:
        channel: ``(*spatial)``.
        slice_dim: axis that counts the slices, 0 is the first; None takes the whole as one slice.
        value_range: values that become 0 and 1; what lies outside is clipped, and the foreground is what lies above
            the first. None takes 0 to the 99.5th percentile of the box around the voxels above 0.
        slice_size: sides of the slices: each is cropped to the box around the foreground of all, then padded with 0 on
            both sides. None leaves them whole, and takes percentiles over the whole.
        name: what errors call the image.

    Raises:
        InputError: if an argument does not fit, a value is not finite, no value of an image that is not constant lies
            above the first of ``value_range`` (without one above 0), the foreground is larger than ``slice_size``, or
            all values up to the 99.5th percentile are the same.

    Example:
        >>> cut = cut_slices(torch.tensor([[[0.0, 4.0, 8.0]]]), 0, value_range=(0, 8), slice_size=(1, 4))
        >>> cut.image
        tensor([[[[0.0000, 0.5000, 1.0000, 0.0000]]]])
        >>> join_slices(cut, cut.image)
        tensor([[[0., 4., 8.]]])
    """
    if slice_dim is not None and not 0 <= slice_dim < channel.ndim:
        raise broken_rule(
            "slice_dim", f"0 to {channel.ndim - 1} for this image", slice_dim, "or None for an image that is one slice"
        )
    if not torch.isfinite(channel).all():
        raise broken_rule(name, "finite values", "NaN or infinity", "repair the image first")
    source = (channel[None] if slice_dim is None else channel.movedim(slice_dim, 0))[:, None].float()
    floor = 0.0 if value_range is None else _checked_range(value_range)[0]
    sides = tuple(source.shape[2:])
    starts, ends = [0] * (1 + len(sides)), [len(source), *sides]
    if slice_size is not None:
        starts, ends = generate_spatial_bounding_box(source[None, :, 0], lambda x: x > floor, allow_smaller=True)
    box = tuple(slice(start, end) for start, end in zip(starts[1:], ends[1:], strict=True))
    low, high = (floor, 1.0) if value_range is None else (float(value_range[0]), float(value_range[1]))
    if not bool((source > floor).any()) and bool((source != source.flatten()[0]).any()):
        # Every slice would be blank, and blank slices are accepted without a look.
        raise broken_rule(
            "value_range",
            f"values above {floor:g} in {name}",
            f"{float(source.min()):g} to {float(source.max()):g}",
            "give the range of the image, or scale it first",
        )
    if value_range is None and bool((source > floor).any()):
        inside = source[(slice(starts[0], ends[0]), _FULL, *box)]
        low, high = (float(percentile(inside, q)) for q in _PERCENTILES)
        if not high > low:
            raise broken_rule(
                name,
                f"different values up to the {_PERCENTILES[1]:g}th percentile",
                f"{low:g} alone",
                "set `value_range`, or `slice_size` where most of the image is background",
            )
    place = box if slice_size is None else _centred(box, slice_size, name)
    image = source.new_zeros(len(source), 1, *(sides if slice_size is None else slice_size))
    image[(_FULL, _FULL, *place)] = ((source[(_FULL, _FULL, *box)] - low) / (high - low)).clamp(0, 1)
    return CutSlices(image, source, slice_dim, low, high, floor, box, place)


def join_slices(cut: CutSlices, image: Tensor) -> Tensor:
    """Put slices back where they were cut, in the values of the channel.

    Background stays background: a network's faint values there would become foreground for whatever comes next.

    Args:
        cut: result of :func:`cut_slices`.
        image: slices of the shape of ``cut.image`` in [0, 1].

    Returns:
        The channel ``(*spatial)``, float32; all its values lie between ``cut.low`` and ``cut.high`` or are
        ``cut.floor``.

    Raises:
        InputError: if ``image`` has another shape than ``cut.image``.
    """
    if image.shape != cut.image.shape:
        raise broken_rule(
            "image", f"the shape that was cut, {tuple(cut.image.shape)}", tuple(image.shape), "give one slice for each"
        )
    joined = torch.full_like(cut.source, cut.floor)
    joined[(_FULL, _FULL, *cut.box)] = image[(_FULL, _FULL, *cut.place)] * (cut.high - cut.low) + cut.low
    joined = joined.where(cut.source > cut.floor, cut.floor)[:, 0]
    return joined[0] if cut.slice_dim is None else joined.movedim(0, cut.slice_dim)


def reorient(image: Tensor, affine: Tensor, axcodes: str) -> Tensor:
    """Permute and flip the spatial axes of ``image`` ``(C, X, Y, Z)`` so that they point as ``axcodes`` says.

    Args:
        image: image in any orientation.
        affine: ``(4, 4)``, voxel to world.
        axcodes: the wanted orientation, such as ``"RAS"``.

    Raises:
        InputError: if the image has not 3 spatial axes, the affine has no inverse, or ``axcodes`` is no orientation.

    Example:
        >>> reorient(torch.tensor([[[[1, 2]]]]), torch.diag(torch.tensor([1.0, 1.0, -1.0, 1.0])), "RAS")
        tensor([[[[2, 1]]]])
    """
    order, flipped = _orientation(image, affine, axcodes)
    return image.flip(flipped).permute(0, *order)


def reorient_back(image: Tensor, affine: Tensor, axcodes: str) -> Tensor:
    """Undo :func:`reorient` of ``(C, X, Y, Z)``; ``affine`` and ``axcodes`` are those that it was given."""
    order, flipped = _orientation(image, affine, axcodes)
    inverse = [order.index(axis) + 1 for axis in range(1, 4)]
    return image.permute(0, *inverse).flip(flipped)


def oriented_axis(image: Tensor, affine: Tensor, axcodes: str, axis: int) -> int:
    """Spatial axis of ``image`` ``(C, X, Y, Z)`` that :func:`reorient` makes the axis number ``axis``.

    Example:
        >>> oriented_axis(torch.zeros(1, 2, 3, 4), torch.eye(4)[[2, 0, 1, 3]], "RAS", 0)
        2
    """
    return _orientation(image, affine, axcodes)[0][axis] - 1


def _orientation(image: Tensor, affine: Tensor, axcodes: str) -> tuple[list[int], list[int]]:
    """For each wanted axis that which it is in an image ``(C, X, Y, Z)``, and those to be flipped before."""
    if image.ndim != 4 or tuple(affine.shape) != (4, 4):
        raise broken_rule(
            "axcodes", "an image (C, X, Y, Z)", f"shape {tuple(image.shape)}", "None takes the axes as they are"
        )
    matrix = affine.as_subclass(Tensor).double().cpu()
    if not torch.isfinite(matrix).all() or float(torch.linalg.det(matrix[:3, :3])) == 0:
        raise broken_rule(
            "affine",
            "a finite matrix that can be inverted",
            matrix.tolist(),
            "repair the header of the image, or give `axcodes` None to take the axes as they are",
        )
    try:
        wanted = orientations.axcodes2ornt(axcodes)
        # nibabel leaves an axis that is there twice undefined.
        if sorted(wanted[:, 0]) != [0, 1, 2]:
            raise ValueError("expected each axis once")
        ornt = orientations.ornt_transform(orientations.io_orientation(matrix.numpy()), wanted)
        axes = [int(axis) for axis in ornt[:, 0]]
    except (ValueError, TypeError) as error:
        raise broken_rule("axcodes", 'an orientation such as "RAS"', repr(axcodes), "or give None") from error
    return [axes.index(axis) + 1 for axis in range(3)], [number + 1 for number in range(3) if ornt[number, 1] < 0]


def _checked_range(value_range: Sequence[float]) -> Sequence[float]:
    if len(value_range) != 2 or not -math.inf < value_range[0] < value_range[1] < math.inf:
        raise broken_rule(
            "value_range", "finite (low, high) with low < high", value_range, "exchange them, or give None"
        )
    return value_range


def _centred(box: Sequence[slice], slice_size: Sequence[int], name: str) -> tuple[slice, ...]:
    """Where a box lies in slices of that size; as ``SpatialPad`` does it, the odd voxel comes behind."""
    sides = [part.stop - part.start for part in box]
    if len(slice_size) != len(sides) or any(s > size for s, size in zip(sides, slice_size, strict=True)):
        raise broken_rule(
            "slice_size",
            f"at least {tuple(sides)}, the foreground of {name}",
            tuple(slice_size),
            "crop or resample the image, or take networks for larger slices",
        )
    before = [(size - side) // 2 for side, size in zip(sides, slice_size, strict=True)]
    return tuple(slice(b, b + side) for b, side in zip(before, sides, strict=True))
