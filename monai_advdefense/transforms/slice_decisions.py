"""What a guard says of a segmentation and its slices, as array and dictionary transform."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_tensor

from monai_advdefense.guard.mark_rejected import accepted_slices
from monai_advdefense.transforms.guarded_channels import GuardedChannels

__all__ = ["SliceDecisions", "SliceDecisionsD", "SliceDecisionsDict", "SliceDecisionsd"]


class SliceDecisions(Transform):
    """Tell a guard's verdict, and which slices of a segmentation are rejected, whatever the orientation of its voxels.

    Put it behind :class:`~monai_advdefense.transforms.InvertLabelsd`, so that slices are counted as in the input.

    Args:
        rejected: label of rejected slices, the number of classes in front of it.
        slice_dim: axis in ``axcodes`` along which the guard counts slices; 1 is coronal.
        axcodes: orientation in which the guard sees volumes; None takes the axes as they are.

    Raises:
        InputError: if the segmentation has no affine, or ``axcodes`` is no orientation.

    Example:
        >>> from monai.data import MetaTensor
        >>> SliceDecisions(rejected=2, slice_dim=1)(MetaTensor([[[[0], [2]], [[1], [2]]]]))
        {'slice_axis': 1, 'slices': 2, 'rejected_slices': [1]}
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, rejected: int, slice_dim: int, *, axcodes: str | None = "RAS") -> None:
        self.rejected = rejected
        self.guarded = GuardedChannels(slice_dim, axcodes, None, None, None, 1)

    def __call__(self, pred: NdarrayOrTensor) -> dict[str, Any]:
        """Read a segmentation.

        Args:
            pred: labels ``(1, X, Y, Z)``.

        Returns:
            ``slice_axis``, the axis of ``pred`` that counts the slices; ``slices``, their number; ``rejected_slices``,
            the indices of those rejected. Where a screen judged the volume, first ``verdict`` and
            :func:`~monai_advdefense.guard.verdict_entries.verdict_entries`. All as JSON can hold it.
        """
        axis = self.guarded.slice_axis(pred)
        accepted = accepted_slices(convert_to_tensor(pred, track_meta=False), self.rejected, axis)
        return {
            # Where ScreenedSliceInferer leaves it.
            **json.loads(getattr(pred, "meta", {}).get("verdict", "{}")),
            "slice_axis": axis,
            "slices": len(accepted),
            "rejected_slices": accepted.logical_not().nonzero().flatten().tolist(),
        }


class SliceDecisionsd(MapTransform):
    """Dictionary version of :class:`SliceDecisions`; writes it as ``{"guard": ...}``.

    MONAI Label puts what lies under the key ``result`` into its JSON answer.

    Args:
        keys: keys of the segmentations.
        rejected: see :class:`SliceDecisions`, as for the other arguments.
        result_key: where to write it; with several keys, what comes from the last stays.
        allow_missing_keys: do not fail where a key of ``keys`` is absent.
    """

    backend = SliceDecisions.backend

    def __init__(
        self,
        keys: KeysCollection,
        rejected: int,
        slice_dim: int,
        *,
        axcodes: str | None = "RAS",
        result_key: str = "result",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.result_key = result_key
        self.transform = SliceDecisions(rejected, slice_dim, axcodes=axcodes)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Read the segmentation under each key."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[self.result_key] = {"guard": self.transform(result[key])}
        return result


SliceDecisionsD = SliceDecisionsDict = SliceDecisionsd
