"""Labels of a volume, made slice by slice by a guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import SliceInferer
from monai.utils import convert_data_type, convert_to_dst_type
from torch import Tensor, nn

from monai_advdefense.class_indices import label_type
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.guard.optimize_for_inference import InferenceOptimizer
from monai_advdefense.messages import broken_rule

__all__ = ["GuardedSliceInferer"]


class GuardedSliceInferer(SliceInferer):  # type: ignore[misc]
    """``monai.inferers.SliceInferer`` whose output are labels instead of logits.

    Labels are taken batch by batch, so the logits of the volume never exist as a whole: for 28 classes they are most of
    the memory of a run. Where the network is a :class:`~monai_advdefense.guard.DefendedSegmenter` in evaluation mode
    and no gradients are asked for, a faster copy of it runs
    (:func:`~monai_advdefense.guard.optimize_for_inference.optimize_for_inference`), made once for all volumes; hooks
    on its decision see every slice, in order.

    Slices of another size than ``roi_size`` are padded or passed in overlapping windows, as ``SliceInferer`` does it,
    and labels are taken of the joined logits.

    Args:
        accelerate: let the faster copy run; False takes the network as it is.
        args: as for ``SliceInferer``.
        kwargs: as for ``SliceInferer``, as ``roi_size``, ``sw_batch_size`` and ``spatial_dim``.

    Example:
        >>> inferer = GuardedSliceInferer(roi_size=(4, 4), sw_batch_size=2, spatial_dim=1)
        >>> volume = torch.tensor([0.2, 0.9, 0.1]).reshape(1, 1, 1, 3, 1).expand(1, 1, 4, 3, 4)
        >>> inferer(volume, lambda image: torch.cat([1 - image, image], dim=1))[0, 0, 0, :, 0]
        tensor([0, 1, 0], dtype=torch.uint8)
    """

    def __init__(self, *args: Any, accelerate: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accelerate = accelerate
        self._optimize = InferenceOptimizer()

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Tensor:
        """Return labels ``(B, 1, X, Y, Z)`` of ``inputs`` ``(B, C, X, Y, Z)``: uint8, or int16 from 257 classes on.

        Raises:
            InputError: ``network`` does not give logits ``(B, classes, H, W)``.
        """
        sides = [n for axis, n in enumerate(inputs.shape[2:]) if axis != self.spatial_dim]
        if inputs.ndim != 5 or sides != list(self.orig_roi_size) or args or kwargs:
            return _labels(super().__call__(inputs, network, *args, **kwargs))
        plain: Tensor = convert_data_type(inputs, Tensor)[0]
        return self._joined([self._volume(volume, network) for volume in plain], inputs)

    def _joined(self, volumes: list[Tensor], inputs: Tensor) -> Tensor:
        """Labels of some volumes in one, with the metadata of the volumes."""
        labels = torch.stack(volumes).to(self.device or inputs.device)
        if not isinstance(inputs, MetaTensor):
            return labels
        meta = MetaTensor([]).copy_meta_from(inputs, copy_attr=False)
        result: Tensor = convert_to_dst_type(labels, meta, dtype=labels.dtype, device=labels.device)[0]
        return result

    def _volume(self, volume: Tensor, network: Callable[..., Any]) -> Tensor:
        """Labels ``(1, X, Y, Z)`` of a volume ``(C, X, Y, Z)``."""
        axis = self.spatial_dim + 1
        slices = volume.movedim(axis, 0)
        first = self._batch(slices[: self.sw_batch_size])
        network = self._fast(network, first)
        labels = [_labels_by(network, self._batch(batch)) for batch in slices.split(self.sw_batch_size)]
        return torch.cat(labels).movedim(0, axis)

    def _fast(self, network: Callable[..., Any], first: Tensor) -> Callable[..., Any]:
        if self.accelerate and isinstance(network, nn.Module) and not torch.is_grad_enabled():
            return self._optimize(network, first)
        return network

    def _batch(self, slices: Tensor) -> Tensor:
        return slices.to(self.sw_device or slices.device).contiguous()


def _labels_by(network: Callable[..., Any], slices: Tensor) -> Tensor:
    """Labels ``(B, 1, H, W)`` of ``slices`` ``(B, C, H, W)``."""
    if not isinstance(network, DefendedSegmenter):
        return _labels(network(slices))
    return network.labels(slices).unsqueeze(1)


def _labels(logits: Tensor) -> Tensor:
    """Labels ``(B, 1, *spatial)`` of logits ``(B, classes, *spatial)``."""
    if not isinstance(logits, Tensor) or logits.ndim < 4:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise broken_rule("network", "logits (B, classes, H, W)", found, "give a network that segments")
    return logits.max(dim=1, keepdim=True).indices.to(label_type(logits.shape[1]))
