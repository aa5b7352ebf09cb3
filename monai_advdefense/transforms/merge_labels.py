"""Merge the labels of a fine atlas into the classes of a segmentation task."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor

from monai_advdefense.errors import InputError

__all__ = ["MergeLabels", "MergeLabelsD", "MergeLabelsDict", "MergeLabelsd"]


class MergeLabels(Transform):
    """Merge source labels into classes ``1, 2, ...``; what no class names becomes background, class 0.

    Args:
        source_labels: for class 1, 2, ... the source labels that it merges.

    Raises:
        InputError: if a source label belongs to two classes or is not in ``[1, 65535]``, or if the image holds
            values that are no integers in ``[0, 65535]``.

    Example:
        >>> MergeLabels([[45], [44, 7]])(torch.tensor([[0, 7, 44, 45, 99]])).tolist()
        [[0, 2, 2, 1, 0]]
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, source_labels: Sequence[Sequence[int]]) -> None:
        named = [label for group in source_labels for label in group]
        if len(set(named)) != len(named) or any(not 0 < label <= 65535 for label in named):
            raise InputError(
                f"source_labels: expected labels from 1 to 65535, each in one class, found {sorted(named)}; "
                "mend the class list"
            )
        self.table = torch.zeros(65536, dtype=torch.int64)
        for index, group in enumerate(source_labels, start=1):
            self.table[list(group)] = index

    def __call__(self, label: NdarrayOrTensor) -> NdarrayOrTensor:
        """Classes of a label map of any shape, as int64."""
        source = convert_to_tensor(label, track_meta=False)
        # In the source's own type 65536 would wrap to 0.
        index = source.long()
        whole = index == source if source.is_floating_point() else torch.ones_like(index, dtype=torch.bool)
        if not bool(((index >= 0) & (index < len(self.table)) & whole).all()):
            found = np.unique(source.cpu().numpy())
            raise InputError(
                f"label: expected integers from 0 to 65535, found values from {found[0]} to {found[-1]}; "
                "give the label map, not the image"
            )
        merged = self.table.to(source.device)[index]
        result: NdarrayOrTensor = convert_to_dst_type(merged, label, dtype=torch.int64)[0]
        return result


class MergeLabelsd(MapTransform):
    """Dictionary version of :class:`MergeLabels`."""

    backend = MergeLabels.backend

    def __init__(
        self, keys: KeysCollection, source_labels: Sequence[Sequence[int]], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = MergeLabels(source_labels)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Merge the labels under each key."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.transform(result[key])
        return result


MergeLabelsD = MergeLabelsDict = MergeLabelsd
