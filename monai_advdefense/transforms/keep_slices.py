"""Keep the slices of an image as they are before a network's preprocessing, for what judges the volume afterwards."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends
from torch import Tensor

from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.guarded_channels import GuardedChannels

__all__ = ["KeepSlices", "KeepSlicesD", "KeepSlicesDict", "KeepSlicesd", "KeptSlices"]

NAMES = ("slices", "centers", "indices", "frame")


@dataclass(frozen=True)
class KeptSlices:
    """Slices of one image.

    Attributes:
        slices: ``(S, C, H, W)``, the guarded channels in [0, 1].
        centers: of the slices in RAS+ world coordinates, mm ``(S, 3)``; of an image that is one slice 0.
        indices: of the slices along the image's own axis ``(S,)``.
        frame: where the first guarded channel lies: for each axis of a slice start and end in the image, and start and
            end in ``slices`` ``(2, 4)``.
    """

    slices: Tensor
    centers: Tensor
    indices: Tensor
    frame: Tensor

    def framed(self, labels: Tensor) -> Tensor:
        """Labels of the image's slices ``(S, H, W)`` in the frame of ``slices``, 0 beyond the image."""
        (top, bottom, above, below), (left, right, before, behind) = self.frame.tolist()
        result = labels.new_zeros(len(labels), *self.slices.shape[2:])
        result[:, above:below, before:behind] = labels[:, top:bottom, left:right]
        return result


class KeepSlices(Transform):
    """Cut the slices of an image, scaled to [0, 1]; the image is left as it is.

    Put it right after loading, before anything that changes the values.

    Args:
        guarded: which slices of which channels.
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, guarded: GuardedChannels) -> None:
        self.guarded = guarded

    def __call__(self, image: NdarrayOrTensor) -> KeptSlices:
        """The slices of ``image`` ``(C, *spatial)``."""
        cuts = [cut for _, cut in self.guarded.cut(image)]
        slices = torch.cat([cut.image for cut in cuts], dim=1).cpu()
        if slices.ndim != 4:
            rule = "the axis that counts the slices of a volume"
            raise broken_rule("slice_dim", rule, self.guarded.slice_dim, "give 0, 1 or 2")
        whole = self.guarded.slice_dim is None
        boxes = zip(cuts[0].box, cuts[0].place, strict=True)
        return KeptSlices(
            slices,
            torch.zeros(len(slices), 3, dtype=torch.float64) if whole else self.guarded.centers(image),
            self.guarded.indices(image),
            torch.tensor([[box.start, box.stop, place.start, place.stop] for box, place in boxes]),
        )


class KeepSlicesd(MapTransform):
    """Dictionary version of :class:`KeepSlices`: writes ``slices_{key}`` and the other attributes of the same form.

    Args:
        keys: keys of the images.
        guarded: see :class:`KeepSlices`.
        allow_missing_keys: do not fail where a key of ``keys`` is absent.
    """

    backend = KeepSlices.backend

    def __init__(self, keys: KeysCollection, guarded: GuardedChannels, *, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = KeepSlices(guarded)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the slices of the image under each key."""
        result = dict(data)
        for key in self.key_iterator(result):
            kept = self.transform(result[key])
            result |= {f"{name}_{key}": getattr(kept, name) for name in NAMES}
        return result


KeepSlicesD = KeepSlicesDict = KeepSlicesd
