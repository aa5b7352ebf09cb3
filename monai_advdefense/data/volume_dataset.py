"""An input dataset that refuses broken volumes one by one and goes on with the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import ignite.distributed as idist
import torch
from torch.utils.data import IterableDataset, get_worker_info

from monai_advdefense.data.checks.intensity_range import check_intensity_range
from monai_advdefense.data.folder import volume_datalist
from monai_advdefense.data.load_volume import load_volume
from monai_advdefense.errors import InputError
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.messages import broken_rule
from monai_advdefense.runs.manifest import Manifest
from monai_advdefense.runs.run_log import RunLog

__all__ = ["VolumeDataset"]


class VolumeDataset(IterableDataset[dict[str, Any]]):
    """Iterate over preprocessed volumes; a volume that cannot be used is recorded, reported and left out.

    There is no length, because it is not known beforehand how many volumes are usable: an engine then takes one pass
    as one epoch, an empty one included. :func:`operator.length_hint` tells how many will be looked at. Folders are
    listed when the iteration starts, not in the constructor. Of several processes in a process group each takes every
    n-th volume, and may get none.

    Args:
        data: items with the path of the volume under ``key``, or a folder (or one file) as for
            :func:`~monai_advdefense.data.volume_datalist`. What can only be iterated over is shared out already: each
            item is taken when the one before is done.
        transform: preprocessing of one item; it leaves a tensor ``(1, X, Y, Z)`` in [0, 1] under ``key``, RAS, 1 mm,
            cropped to the brain, its slices padded to ``slice_size``.
        slice_size: sides of the slices that the networks take, in voxels.
        slice_dim: spatial axis along which slices are stacked; 1 is coronal.
        key: name of the volume in an item.
        exclude: folder inside ``data`` that holds no inputs, usually the one to which results are written.
        min_slices: refuse volumes with fewer slices that are not blank.
        run_log: where volumes are recorded by absolute path; cleared when the iteration starts.
        manifest: which volumes are done; they are recorded and not read. Its shard says which are looked at.

    Raises:
        InputError: when the iteration starts, if the folder is missing or holds no NIfTI
            file, or with worker processes, in which failures would be lost (use ``num_workers=0``).
    """

    def __init__(
        self,
        data: Iterable[Mapping[str, Any]] | str | os.PathLike[str],
        transform: Callable[[dict[str, Any]], Any],
        *,
        slice_size: Sequence[int],
        slice_dim: int,
        key: str = "image",
        exclude: str | os.PathLike[str] | None = None,
        min_slices: int = 0,
        run_log: RunLog | None = None,
        manifest: Manifest | None = None,
    ) -> None:
        self.data = data
        self.transform = transform
        self.slice_size = tuple(slice_size)
        self.slice_dim = slice_dim
        self.key = key
        self.exclude = exclude
        self.min_slices = min_slices
        self.run_log = RunLog() if run_log is None else run_log
        self.manifest = manifest

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the preprocessed items of the usable volumes, in order."""
        if get_worker_info() is not None:
            raise broken_rule("num_workers", "0", "worker processes, which lose failures", "set it to 0")
        self.run_log.clear()
        if self.manifest is not None:
            self.manifest.read()
        share = self._share()
        self.run_log.expected = len(share) if isinstance(share, Sequence) else 0
        for item in map(self._absolute, share):
            source = str(item.get(self.key))
            self.run_log.attempt(source)
            if self.manifest is not None and self.manifest.is_done(source):
                self.run_log.skip(source)
                continue
            try:
                yield self._load(item)  # bound to no name here, so that one volume is not kept while the next is read
            except InputError as error:
                self.run_log.fail(source, str(error))

    def __length_hint__(self) -> int:
        """Number of volumes that will be looked at, usable or not; see :func:`operator.length_hint`."""
        share = self._share()
        return len(share) if isinstance(share, Sequence) else NotImplemented

    def _share(self) -> Iterable[Mapping[str, Any]]:
        """Items of this process: of its shard those of its rank."""
        items = self._items()
        if not isinstance(items, Sequence):
            return items
        if self.manifest is not None:
            items = self.manifest.shard.share(items)
        return items[idist.get_rank() :: idist.get_world_size()]

    def _items(self) -> Iterable[Mapping[str, Any]]:
        if isinstance(self.data, (str, os.PathLike)):
            return volume_datalist(self.data, exclude=self.exclude)
        if not self.data:
            raise broken_rule("data", "at least one volume", "an empty list", "check the datalist")
        return self.data

    def _absolute(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """The item with an absolute path: readers change relative ones, and failures are told apart by their path."""
        path = item.get(self.key)
        return {**item, self.key: os.path.abspath(path)} if isinstance(path, (str, os.PathLike)) else item

    def _load(self, item: Mapping[str, Any]) -> dict[str, Any]:
        path = item.get(self.key)
        if not isinstance(path, (str, os.PathLike)):
            raise broken_rule("data", f"one path under {self.key!r}", path, "check the datalist")
        sizes: dict[str, Any] = {"slice_size": self.slice_size, "slice_dim": self.slice_dim}
        loaded = load_volume(item, self.transform, keys=(self.key,), **sizes)
        check_intensity_range(loaded[self.key], path=path)
        self._check_slices(path, loaded[self.key])
        return loaded

    def _check_slices(self, path: str | os.PathLike[str], image: torch.Tensor) -> None:
        filled = int((~is_blank(image.movedim(self.slice_dim + 1, 0))).sum())
        if filled < self.min_slices:
            rule = f"at least {self.min_slices} slices that are not blank"
            raise broken_rule(path, rule, f"{filled}", "ask for fewer slices, or leave the volume out")
