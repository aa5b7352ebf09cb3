"""Labels of a volume whose slices a screen judges together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from monai.data import MetaTensor
from monai.utils import convert_data_type
from torch import Tensor

from monai_advdefense.class_indices import label_type
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.guard.predict_slices import predict_slices
from monai_advdefense.guard.prediction_typicality import PredictionNumbers
from monai_advdefense.guard.scores.foreground import area, foreground, slice_position
from monai_advdefense.guard.screen import Screen, Screened
from monai_advdefense.guard.verdict_entries import verdict_entries
from monai_advdefense.inferers.guarded_slice_inferer import GuardedSliceInferer
from monai_advdefense.messages import broken_rule

__all__ = ["ScreenedSliceInferer"]


class ScreenedSliceInferer(GuardedSliceInferer):
    """Segments the slices of a volume, lets a screen judge them together, and marks those rejected.

    Of the network, a :class:`~monai_advdefense.guard.DefendedSegmenter`, reformer and segmenter run; its detector and
    its decision do not. The segmenter sees the image and the reformed image. Blank slices are background, whatever the
    networks would make of them. Neither logits of the whole volume nor predictions for blank slices are computed.

    What the screen says of a volume lies in the metadata of its labels, where the volume has some, under
    ``"verdict"``: hosts that know this inferer and the postprocessing alone can tell it, and volumes that run at the
    same time do not mix.

    Args:
        screen: a :class:`~monai_advdefense.guard.screen.Screen`; it judges each volume once.
        mark_rejected: False leaves the labels of rejected slices as they are, for a calibration.
        args: as for ``monai.inferers.SliceInferer``.
        kwargs: as for ``monai.inferers.SliceInferer``, and ``accelerate`` as for :class:`GuardedSliceInferer`.
    """

    def __init__(self, *args: Any, screen: Screen, mark_rejected: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.screen = screen
        self.mark_rejected = mark_rejected

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Tensor:
        """Return labels ``(B, 1, X, Y, Z)`` of ``inputs`` ``(B, C, X, Y, Z)``, ``num_classes`` in rejected slices.

        Raises:
            InputError: ``network`` is no guard, or the slices have another size than ``roi_size``.
        """
        if not isinstance(network, DefendedSegmenter):
            remedy = "give the guard itself, neither wrapped nor exported"
            raise broken_rule("network", "a DefendedSegmenter", type(network).__name__, remedy)
        sides = [n for axis, n in enumerate(inputs.shape[2:]) if axis != self.spatial_dim]
        if inputs.ndim != 5 or sides != list(self.orig_roi_size):
            remedy = "make the padding in the preprocessing and roi_size agree"
            raise broken_rule("inputs", f"slices of {tuple(self.orig_roi_size)}", tuple(sides), remedy)
        if args or kwargs:
            raise broken_rule("inputs", "no further arguments", "some", "give them to the network beforehand")
        plain: Tensor = convert_data_type(inputs, Tensor)[0]
        pairs = zip(plain, _native_sizes(inputs, self.spatial_dim), strict=True)
        labels, screened = zip(*(self._judged(volume, network, native) for volume, native in pairs), strict=True)
        result = self._joined(list(labels), inputs)
        if isinstance(result, MetaTensor):
            verdicts = [_verdict(each) for each in screened]
            result.meta["verdict"] = verdicts if result.is_batch else verdicts[0]
        return result

    def _judged(self, volume: Tensor, network: Any, native: Sequence[float] | None) -> tuple[Tensor, Screened]:
        """Labels ``(1, X, Y, Z)`` of a volume ``(C, X, Y, Z)``, and what the screen says of it."""
        axis, classes = self.spatial_dim + 1, self.screen.num_classes
        slices = volume.movedim(axis, 0)
        network = self._fast(network, self._batch(slices[:1]))
        numbers = _no_numbers(slices, classes)
        labels = torch.zeros((len(slices), *slices.shape[2:]), dtype=label_type(classes + 1), device=slices.device)
        shown = torch.nonzero(~is_blank(slices)).flatten()
        for index in shown.split(self.sw_batch_size) if len(shown) else ():
            batch = self._batch(slices[index])
            place = (numbers.position[index].to(batch), numbers.log_area[index].to(batch))
            predicted, found = predict_slices(network, batch, *place)
            _check_classes(found, classes)
            labels[index] = predicted.to(labels)
            _put(numbers, index, found)
        home = self.screen.threshold.device
        screened = self.screen(slices.to(home), _moved(numbers, home), native)
        if self.mark_rejected:
            labels[~screened.accepted.to(labels.device)] = classes
        return labels.unsqueeze(1).movedim(0, axis), screened


def _verdict(screened: Screened) -> str:
    """As text: MONAI takes batches of nothing else apart unchanged."""
    found = screened.verdict
    return json.dumps({"verdict": found.verdict, **verdict_entries(found, screened.dice)}, allow_nan=False)


def _native_sizes(inputs: Tensor, spatial_dim: int) -> list[list[float] | None]:
    """Voxel size of each scan as a share of the grid's, along the slices' axis, rows and columns; None if not known."""
    meta = inputs.meta if isinstance(inputs, MetaTensor) else {}
    if "original_affine" not in meta or "affine" not in meta:
        return [None] * len(inputs)
    before, after = (torch.as_tensor(meta[name]).double().cpu() for name in ("original_affine", "affine"))
    order = [spatial_dim, *(axis for axis in range(3) if axis != spatial_dim)]
    pairs = zip(before.reshape(-1, 4, 4), after.reshape(-1, 4, 4), strict=True)
    return [[_native_sizes_of(*pair)[axis] for axis in order] for pair in pairs]


def _native_sizes_of(before: Tensor, after: Tensor) -> list[float]:
    """For each axis of the grid the size of the voxels along the scan's nearest axis, as a share of the grid's."""
    scan, grid = (matrix[:3, :3].norm(dim=0) for matrix in (before, after))
    cosine = ((before[:3, :3] / scan).T @ (after[:3, :3] / grid)).abs()
    sizes: list[float] = (scan[cosine.argmax(dim=0)] / grid).tolist()
    return sizes


_TABLES: Sequence[str] = ("divergence", "entropy", "count", "area", "centroid")


def _no_numbers(slices: Tensor, classes: int) -> PredictionNumbers:
    """Numbers of slices of which none was predicted."""
    areas = torch.cat([area(foreground(batch)) for batch in slices.split(16)])
    table = torch.zeros(len(slices), classes, device=slices.device)
    centroid = torch.zeros(*table.shape, slices.dim() - 2, device=slices.device)
    position, log_area = slice_position(areas.cpu()).to(slices.device), areas.clamp_min(1).float().log()
    return PredictionNumbers(table.clone(), table.clone(), table.clone(), table.clone(), centroid, position, log_area)


def _put(numbers: PredictionNumbers, index: Tensor, part: PredictionNumbers) -> None:
    """Write those of some slices."""
    for name in _TABLES:
        table: Tensor = getattr(numbers, name)
        table[index] = getattr(part, name).to(table)


def _moved(numbers: PredictionNumbers, device: torch.device) -> PredictionNumbers:
    names = (*_TABLES, "position", "log_area")
    return replace(numbers, **{name: getattr(numbers, name).to(device) for name in names})


def _check_classes(numbers: PredictionNumbers, classes: int) -> None:
    found = numbers.area.shape[1]
    if found != classes:
        remedy = "give the screen the number of classes of the network"
        raise broken_rule("network", f"a segmenter of {classes} classes", found, remedy)
