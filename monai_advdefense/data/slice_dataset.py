"""Slices of volumes as a map-style dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data import Dataset
from monai.utils import convert_to_tensor

from monai_advdefense.data.load_volume import load_volume
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.messages import broken_rule

__all__ = ["SliceDataset"]


class SliceDataset(Dataset):
    """The slices of some volumes, those whose image is blank left out.

    The volumes are loaded and preprocessed once and kept in memory (about 35 MB for a brain at 1 mm with its label).

    Args:
        data: cases, dictionaries with ``image`` and perhaps ``label`` and further entries.
        volume_transform: loading and preprocessing of a volume; gives channel-first ``(C, *spatial)`` arrays.
        slice_size: sides of the slices, in voxels; a volume whose slices have other ones is refused.
        slice_dim: spatial axis that counts the slices; 1 is coronal.
        every: take only each n-th slice; neighbouring slices are near copies.
        transform: applied to each slice when it is fetched, for example an augmentation.
        keys: the entries that are cut into slices, the image first.
        shared_keys: the entries that every slice of a case repeats.

    Raises:
        InputError: if a volume cannot be used (see :func:`~monai_advdefense.data.load_volume`), no slice is left, or
            ``every`` is below 1.

    Each item holds slices ``(C, *spatial)`` without the sliced axis, ``volume`` and ``slice`` (their indices) and the
    shared entries.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        volume_transform: Callable[..., Any],
        *,
        slice_size: Sequence[int],
        slice_dim: int,
        every: int = 1,
        transform: Callable[..., Any] | None = None,
        keys: Sequence[str] = ("image", "label"),
        shared_keys: Sequence[str] = ("subject", "domain"),
    ) -> None:
        if every < 1:
            raise broken_rule("every", "1 or more", every, "1 takes all slices")
        items: list[dict[str, Any]] = []
        for index, case in enumerate(data):
            volume = load_volume(case, volume_transform, keys=keys, slice_size=slice_size, slice_dim=slice_dim)
            sliced = {
                key: convert_to_tensor(volume[key], track_meta=False).movedim(slice_dim + 1, 0)
                for key in keys
                if key in volume
            }
            shared = {key: case[key] for key in shared_keys if key in case}
            filled = torch.nonzero(~is_blank(sliced[keys[0]])).flatten().tolist()
            items.extend(
                {
                    **{key: value[position] for key, value in sliced.items()},
                    **shared,
                    "volume": index,
                    "slice": position,
                }
                for position in filled[::every]
            )
        if not items:
            raise broken_rule("data", "at least one slice that is not blank", "none", "check the volumes")
        super().__init__(items, transform)

    def class_counts(self, num_classes: int, key: str = "label") -> list[int]:
        """Voxels of each class over all slices, for weights of a loss.

        Raises:
            InputError: if a label is not below ``num_classes``.
        """
        counts = torch.zeros(num_classes, dtype=torch.int64)
        for item in self.data:
            found = torch.bincount(item[key].flatten().long(), minlength=num_classes)
            if len(found) > num_classes:
                raise broken_rule(
                    "num_classes", f"labels below {num_classes} in {key}", len(found) - 1, "merge the labels"
                )
            counts += found
        return counts.tolist()
