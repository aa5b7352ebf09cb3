"""Which voxel of a preprocessed volume lies at a voxel of the input, axis by axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.networks.utils import to_norm_affine
from monai.transforms.utils import create_translate
from nibabel import orientations
from torch import Tensor, nn

__all__ = ["InverseIndices", "inverse_indices", "take"]

# MONAI's own limit, under which its SpatialResample takes two grids for the same.
_SAME = 1e-3
# What is left of a rotation that was undone, in voxels over the whole volume.
_PARALLEL = 1e-3
_ROUNDING = 1e-9


@dataclass(frozen=True)
class InverseIndices:
    """How labels on the grid of a preprocessed volume become labels on the grid of the input.

    Attributes:
        order: for each spatial axis of the input, the axis of the preprocessed volume that runs along it.
        indices: for each spatial axis of the input, the index on that axis for every voxel; -1 lies outside.
        affine: ``(4, 4)`` of the input.
    """

    order: tuple[int, ...]
    indices: tuple[Tensor, ...]
    affine: Tensor


def inverse_indices(image: MetaTensor) -> InverseIndices | None:
    """Undo the spatial transforms of a volume with nearest neighbours, on index ranges instead of voxels.

    Rounding and borders are those of MONAI's inverse transforms, voxel for voxel.

    Args:
        image: ``(C, X, Y, Z)`` with the trace of ``Orientation``, ``Spacing`` or ``SpatialResample``,
            ``CropForeground`` or another crop, and ``SpatialPad`` or another pad, in any order and number.

    Returns:
        None if another spatial transform was traced, one with other options, if a grid is rotated against the next, or
        if the rounding of an oblique matrix decides which of two voxels is nearer: then only a resampling in space can
        do the same.
    """
    state: _State | None = _State.of(image)
    for operation in reversed(image.applied_operations):
        undo = _UNDO.get(operation["class"])
        state = undo(state, operation) if undo and state and not operation.get("lazy") else None
        if state is None:
            return None
    if state is None:
        return None
    return InverseIndices(tuple(state.order), tuple(state.indices), torch.from_numpy(state.affine))


def take(labels: Tensor, found: InverseIndices) -> Tensor:
    """Labels ``(C, *spatial)`` on the grid of the input; 0 outside of the preprocessed volume."""
    result = labels.permute(0, *(axis + 1 for axis in found.order))
    growth = [len(index) / size for index, size in zip(found.indices, result.shape[1:], strict=True)]
    for axis in sorted(range(len(growth)), key=growth.__getitem__):
        index = found.indices[axis].to(labels.device)
        result = result.index_select(axis + 1, index.clamp_min(0))
        result.index_fill_(axis + 1, (index < 0).nonzero().flatten(), 0)
    return result


@dataclass
class _State:
    """A grid on the way back to the input, and where its voxels come from."""

    order: list[int]
    indices: list[Tensor]
    affine: np.ndarray[Any, Any]

    @staticmethod
    def of(image: MetaTensor) -> _State | None:
        sides = image.shape[1:]
        affine = image.affine.detach().cpu().double().numpy()
        if len(sides) != 3 or affine.shape != (4, 4):
            return None
        return _State(list(range(3)), [torch.arange(side) for side in sides], affine)

    def moved(self, voxels: Sequence[int]) -> np.ndarray[Any, Any]:
        """Affine of a grid whose first voxel lies that many voxels further."""
        return np.asarray(self.affine @ create_translate(3, voxels), dtype=float)


def _undo_pad(state: _State, operation: Mapping[str, Any]) -> _State | None:
    padded = [tuple(int(n) for n in pair) for pair in operation["extra_info"]["padded"]]
    if any(padded[0]) or any(n < 0 for pair in padded for n in pair):
        return None
    indices = [
        index[before : len(index) - after] for index, (before, after) in zip(state.indices, padded[1:], strict=True)
    ]
    return _State(state.order, indices, state.moved([before for before, _ in padded[1:]]))


def _undo_crop(state: _State, operation: Mapping[str, Any]) -> _State | None:
    cropped = [int(n) for n in operation["extra_info"]["cropped"]]
    if len(cropped) != 6 or any(n < 0 for n in cropped):
        return None
    indices = [
        torch.cat([index.new_full((before,), -1), index, index.new_full((after,), -1)])
        for index, before, after in zip(state.indices, cropped[::2], cropped[1::2], strict=True)
    ]
    return _State(state.order, indices, state.moved([-before for before in cropped[::2]]))


def _undo_crop_foreground(state: _State, operation: Mapping[str, Any]) -> _State | None:
    unpadded = _undo_pad(state, operation["extra_info"]["pad_info"])
    return unpadded and _undo_crop(unpadded, operation)


def _undo_orientation(state: _State, operation: Mapping[str, Any]) -> _State | None:
    affine = np.asarray(operation["extra_info"]["original_affine"], dtype=float)
    ornt = orientations.ornt_transform(orientations.io_orientation(state.affine), orientations.io_orientation(affine))
    if not np.isfinite(ornt).all():
        return None
    order = [int(axis) for axis in np.argsort(ornt[:, 0])]
    indices = [state.indices[axis].flip(0) if ornt[axis, 1] < 0 else state.indices[axis] for axis in order]
    return _State([state.order[axis] for axis in order], indices, affine)


def _undo_resample(state: _State, operation: Mapping[str, Any]) -> _State | None:
    extra = operation["extra_info"]
    affine = np.asarray(extra["src_affine"], dtype=float)
    before, after = [len(index) for index in state.indices], [int(n) for n in operation["orig_size"]]
    matrix = np.linalg.solve(state.affine, affine)
    unchanged = np.allclose(state.affine, affine, atol=_SAME) or np.allclose(matrix, np.eye(4), atol=_SAME)
    if unchanged and before == after:
        return _State(state.order, state.indices, affine)
    known = extra["padding_mode"] == "border" and extra["dtype"] == "float64"
    if not known or extra["align_corners"] not in (False, "none"):
        return None
    # How far the other axes can move a position.
    oblique = np.abs(matrix[:3, :3] - np.diag(np.diag(matrix[:3, :3]))) @ np.asarray(after)
    theta = to_norm_affine(torch.from_numpy(matrix)[None], before, after)[0]
    positions = [_positions(theta[axis, axis], theta[axis, 3], after[axis], before[axis]) for axis in range(3)]
    if oblique.max() > _PARALLEL or any(map(_undecided, positions, oblique.tolist())):
        return None
    indices = [
        index[position.clamp(0, len(index) - 1).round().long()]
        for index, position in zip(state.indices, positions, strict=True)
    ]
    return _State(state.order, indices, affine)


def _positions(scale: Tensor, shift: Tensor, size: int, source: int) -> Tensor:
    """Where ``size`` voxels lie among ``source`` voxels of one axis, computed as ``grid_sample`` does it."""
    theta = torch.zeros(1, 3, 4, dtype=torch.float64)
    theta[0, 0, 0], theta[0, 0, 3] = scale, shift
    normalized = nn.functional.affine_grid(theta, [1, 1, 1, 1, size], align_corners=False)[0, 0, 0, :, 0]
    return ((normalized + 1) * source - 1) / 2


def _undecided(positions: Tensor, oblique: float) -> bool:
    """Whether a position lies so close to the middle between two voxels that the other axes decide."""
    to_middle = (positions - positions.floor() - 0.5).abs()
    return oblique > 0 and bool((to_middle < oblique + _ROUNDING).any())


_UNDO = {
    "Orientation": _undo_orientation,
    "SpatialResample": _undo_resample,
    "CropForeground": _undo_crop_foreground,
    **dict.fromkeys(("SpatialPad", "BorderPad", "DivisiblePad", "Pad"), _undo_pad),
    **dict.fromkeys(("SpatialCrop", "CenterSpatialCrop", "Crop"), _undo_crop),
}
