"""What the guard's networks make of single slices, for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.networks.utils import eval_mode
from numpy.typing import NDArray
from torch import Tensor, nn

from monai_advdefense.guard.spectrum import fft_shift_magnitude
from monai_advdefense.report.case import SliceRecord

__all__ = ["Plane", "SliceView", "image_views", "plane_of", "slice_views"]

_OPPOSITE = dict(zip("LRPAIS", "RLAPSI", strict=True))
_MARGIN = 8


@dataclass(frozen=True)
class Plane:
    """How the two axes of a slice lie in the patient.

    Attributes:
        ends: letters at the low and high end of the first axis, then of the second, for example ``LRIS``.
        spacing: voxel size along the two axes in mm.
        window: the part of the slice to show, if possible a square around the content of the whole volume.
    """

    ends: str
    spacing: tuple[float, float]
    window: tuple[slice, slice]


@dataclass(frozen=True)
class SliceView:
    """One slice ``(H, W)`` through the guard.

    Attributes:
        record: its score and decision.
        image: what the detector saw, in [0, 1].
        spectrum: scaled log-magnitude, zero frequency at the center.
        residual: magnitude of what the detector could not reconstruct; None where there is no detector.
        residual_in_spectrum: the residual is one of the spectrum (zero frequency at the center), not of the image.
        reformed: the image after the reformer, in [0, 1]; None where there is no reformer.
        labels: the segmentation; None if the slice was not accepted, because then there is none.
    """

    record: SliceRecord
    image: NDArray[np.float32]
    spectrum: NDArray[np.float32]
    residual: NDArray[np.float32] | None = None
    residual_in_spectrum: bool = False
    reformed: NDArray[np.float32] | None = None
    labels: NDArray[np.int64] | None = None


def plane_of(volume: Tensor, affine: NDArray[np.float64], slice_dim: int) -> Plane:
    """Describe the slices of ``volume`` ``(X, Y, Z)`` with ``affine`` ``(4, 4)`` that are counted by ``slice_dim``."""
    codes = nib.orientations.aff2axcodes(affine)
    spacing = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0).tolist()
    first, second = (axis for axis in range(3) if axis != slice_dim)
    content = (volume > 0).any(dim=slice_dim)
    shape = content.shape
    spans = [_span(content.any(dim=1 - axis)) for axis in range(2)]
    side = max(stop - start for start, stop in spans) + 2 * _MARGIN
    windows = [_window(span, side, length) for span, length in zip(spans, shape, strict=True)]
    return Plane(
        ends="".join(_OPPOSITE[codes[axis]] + codes[axis] for axis in (first, second)),
        spacing=(spacing[first], spacing[second]),
        window=(windows[0], windows[1]),
    )


def slice_views(network: nn.Module, volume: Tensor, records: Sequence[SliceRecord], slice_dim: int) -> list[SliceView]:
    """Pass single slices through the parts of the guard once more; what the guard decides is not asked again.

    Args:
        network: a :class:`~monai_advdefense.guard.DefendedSegmenter`.
        volume: preprocessed volume ``(X, Y, Z)`` in [0, 1] on the network's device.
        records: the slices to show.
        slice_dim: axis that counts the slices.

    Returns:
        One view per record, in the same order.
    """
    # One by one: together they would take more memory than all that was computed before.
    with eval_mode(network):
        return [_guard_view(network, volume.select(slice_dim, record.index), record) for record in records]


def _guard_view(guard: Any, image: Tensor, record: SliceRecord) -> SliceView:
    """What the parts of a guard make of a slice ``(H, W)``."""
    batch = image[None, None]
    in_spectrum = guard.detector.domain == "spectrum"
    residual, reformed = guard.detector(batch).abs(), guard.reformer(batch)
    if in_spectrum and not guard.detector.shift:
        residual = torch.fft.fftshift(residual, dim=(-2, -1))
    accepted = record.decision == "accepted"
    return SliceView(
        record=record,
        image=_array(batch[0]),
        spectrum=_array(fft_shift_magnitude(batch[0])),
        residual=_array(residual[0]),
        residual_in_spectrum=in_spectrum,
        reformed=_array(reformed[0]),
        labels=guard.segmenter(reformed).argmax(1)[0].cpu().numpy() if accepted else None,
    )


def image_views(slices: Tensor, labels: Tensor, records: Sequence[SliceRecord]) -> list[SliceView]:
    """Single slices with their segmentation, where no network of the guard looks at them.

    Args:
        slices: ``(S, H, W)`` in [0, 1].
        labels: of all of them ``(S, H, W)`` int64.
        records: the slices to show.
    """
    views = []
    for record in records:
        image = slices[record.index][None]
        shown = None if record.decision != "accepted" else labels[record.index].cpu().numpy()
        views.append(SliceView(record, _array(image), _array(fft_shift_magnitude(image)), labels=shown))
    return views


def _array(image: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = torch.nan_to_num(image[0].float()).cpu().numpy()
    return array


def _span(occupied: Tensor) -> tuple[int, int]:
    indices = occupied.nonzero().flatten().tolist()
    return (indices[0], indices[-1] + 1) if indices else (0, len(occupied))


def _window(span: tuple[int, int], side: int, length: int) -> slice:
    side = min(side, length)
    start = min(max((span[0] + span[1] - side) // 2, 0), length - side)
    return slice(start, start + side)
