"""Merge the labels of a fine atlas into the classes of a segmentation task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import Transform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor

from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.each_key import EachKey

__all__ = ["MergeLabels", "MergeLabelsD", "MergeLabelsDict", "MergeLabelsd"]

_UNNAMED = -1
_LISTED = 5


class MergeLabels(Transform):
    """Merge source labels into classes ``0, 1, 2, ...``; a source label that no class names is an error.

    Args:
        source_labels: for class 0 (the background), 1, 2, ... the source labels that it merges. Source label 0 is
            background without being named.

    Raises:
        InputError: if a source label belongs to two classes or is not in ``[0, 65535]``, or if the label map holds
            other values than the named ones; the message names its file where the metadata tell it.

    Example:
        >>> MergeLabels([[99], [45], [44, 7]])(torch.tensor([[0, 7, 44, 45, 99]])).tolist()
        [[0, 2, 2, 1, 0]]
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, source_labels: Sequence[Sequence[int]]) -> None:
        classes = {label: number for number, group in enumerate(source_labels) for label in group}
        named = [label for group in source_labels for label in group]
        if len(classes) != len(named) or classes.get(0, 0) != 0 or any(not 0 <= label <= 65535 for label in named):
            rule = "labels from 0 to 65535, each in one class and 0 in the background"
            raise broken_rule("source_labels", rule, sorted(named), "mend the class list")
        self.table = torch.full((65536,), _UNNAMED)
        self.table[[0, *classes]] = torch.tensor([0, *classes.values()])

    def __call__(self, label: NdarrayOrTensor) -> NdarrayOrTensor:
        """Classes of a label map of any shape, as int64."""
        # In a small integer type 65536 would wrap to 0; double holds every label exactly.
        source = convert_to_tensor(label, track_meta=False).double()
        index = source.long()
        valid = (index >= 0) & (index < len(self.table)) & (index == source)
        merged = self.table.to(source.device)[index.where(valid, 0)].where(valid, _UNNAMED)
        wrong = merged == _UNNAMED
        if wrong.any():
            raise _unnamed(label, source[wrong])
        result: NdarrayOrTensor = convert_to_dst_type(merged, label, dtype=torch.int64)[0]
        return result


def _unnamed(label: NdarrayOrTensor, values: torch.Tensor) -> AdvDefenseError:
    """The error of a label map with these values, which no class names."""
    found = torch.unique(values).tolist()
    listed = ", ".join(f"{value:g}" for value in found[:_LISTED]) + (", ..." if len(found) > _LISTED else "")
    path = label.meta.get("filename_or_obj", "label") if isinstance(label, MetaTensor) else "label"
    return broken_rule(
        path,
        "source labels of the classes",
        f"{listed} in {len(values)} voxels",
        "correct the label map, or name them in the class list (class 0 is the background)",
    )


class MergeLabelsd(EachKey):
    """Dictionary version of :class:`MergeLabels`."""

    def __init__(
        self, keys: KeysCollection, source_labels: Sequence[Sequence[int]], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, MergeLabels(source_labels), allow_missing_keys)


MergeLabelsD = MergeLabelsDict = MergeLabelsd
