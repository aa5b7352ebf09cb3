"""Mark rejected slices in a prediction, as array and dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor, ensure_tuple
from torch import Tensor

from monai_advdefense.guard.mark_rejected import mark_rejected
from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.each_key import EachKey
from monai_advdefense.transforms.guarded_channels import GuardedChannels

__all__ = ["RejectSlices", "RejectSlicesD", "RejectSlicesDict", "RejectSlicesd"]


class RejectSlices(Transform):
    """Fill the slices of a prediction that a detector rejected with one label.

    The prediction must lie on the grid on which the detector counted the slices: put it behind ``Invertd`` and whatever
    makes labels of logits, before ``SaveImaged``.

    Args:
        label: value of rejected slices, in every channel; one that the network does not give.
        slice_dim: spatial axis that counts the slices, as the detector's; None is a prediction of one slice.
        axcodes: orientation in which ``slice_dim`` counts, as the detector's, for a MetaTensor in any orientation; None
            takes the axes as they are.

    Raises:
        InputError: if the number of slices differs, the decisions are not bool, ``label`` does not fit into the type
            of the prediction, or occurs in it.

    Example:
        >>> RejectSlices(255, slice_dim=0)(torch.tensor([[[0, 1], [1, 1]]]), torch.tensor([True, False]))
        tensor([[[  0,   1],
                 [255, 255]]])
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, label: int, slice_dim: int | None = None, *, axcodes: str | None = None) -> None:
        self.label = label
        self.slice_dim = slice_dim
        self.guarded = GuardedChannels(slice_dim, axcodes, None, None, None, 1)

    def __call__(self, pred: NdarrayOrTensor, accepted: NdarrayOrTensor) -> NdarrayOrTensor:
        """Mark a prediction.

        Args:
            pred: labels ``(C, *spatial)``: one label map, or a mask of each class.
            accepted: ``(slices,)`` bool.

        Returns:
            The marked prediction, in shape, type and meta data of ``pred``.
        """
        oriented = self.guarded.oriented(pred)
        keep = _decisions("accepted", accepted).to(oriented.device)
        if self.slice_dim is not None and not 0 <= self.slice_dim < oriented.ndim - 1:
            raise broken_rule(
                "slice_dim",
                f"0 to {oriented.ndim - 2} for this prediction",
                self.slice_dim,
                "give that of the detector",
            )
        count = 1 if self.slice_dim is None else oriented.shape[1 + self.slice_dim]
        if tuple(keep.shape) != (count,):
            raise broken_rule(
                "pred",
                f"{keep.numel()} slices, as the detector has seen",
                f"{count} along axis {self.slice_dim}",
                "mark slices behind Invertd, with the slice_dim and axcodes of the detector",
            )
        if not _fits(self.label, oriented.dtype):
            raise broken_rule(
                "label",
                f"a value that fits into {oriented.dtype}, the type of the prediction",
                self.label,
                "choose another one, or cast the prediction first",
            )
        if bool((oriented == self.label).any()):
            raise broken_rule(
                "label",
                "a value that the prediction does not have",
                f"{self.label} in it",
                "choose another one, and mark slices once, after labels were made of logits",
            )
        if self.slice_dim is None:
            marked = mark_rejected(oriented[:, None], keep, self.label, 0)[:, 0]
        else:
            marked = mark_rejected(oriented, keep, self.label, self.slice_dim)
        back = self.guarded.oriented_back(marked, pred).contiguous()
        result: NdarrayOrTensor = convert_to_dst_type(back, pred, dtype=back.dtype)[0]
        return result


class RejectSlicesd(EachKey):
    """Dictionary version of :class:`RejectSlices`.

    Args:
        keys: keys of the predictions.
        accepted_keys: keys of the decisions, written by :class:`~monai_advdefense.transforms.DetectAdversariald`; a
            slice that one of them rejects is marked in every prediction.
        label: see :class:`RejectSlices`, as for the other arguments.
        allow_missing_keys: do not fail where a key of ``keys`` is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        accepted_keys: KeysCollection,
        label: int,
        slice_dim: int | None = None,
        *,
        axcodes: str | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, RejectSlices(label, slice_dim, axcodes=axcodes), allow_missing_keys)
        self.accepted_keys = ensure_tuple(accepted_keys)

    def further_arguments(self, data: Mapping[Hashable, Any]) -> Sequence[Any]:
        """What all detectors accept."""
        absent = [key for key in self.accepted_keys if key not in data]
        if absent:
            remedy = "DetectAdversariald writes it, and nothing in between may drop it"
            raise broken_rule("accepted_keys", "keys of the data", f"no {absent[0]!r}", remedy)
        return (torch.stack([_decisions(str(key), data[key]) for key in self.accepted_keys]).all(0),)


def _decisions(name: str, accepted: NdarrayOrTensor) -> Tensor:
    """Decisions as plain tensor; scores, which lie beside them, must not be taken for decisions."""
    decisions = convert_to_tensor(accepted, track_meta=False)
    if not isinstance(decisions, Tensor) or decisions.dtype != torch.bool:
        found = decisions.dtype if isinstance(decisions, Tensor) else type(accepted).__name__
        raise broken_rule(
            name,
            "decisions of type bool, one for each slice",
            found,
            "give what DetectAdversarial decides, not its scores",
        )
    return decisions


def _fits(label: int, dtype: torch.dtype) -> bool:
    try:
        return bool(torch.full((), label, dtype=dtype) == label)
    except RuntimeError:
        return False


RejectSlicesD = RejectSlicesDict = RejectSlicesd
