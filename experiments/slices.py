"""Slices of one split of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.bundle import ConfigParser
from torch import Tensor

from monai_advdefense.data import SliceDataset, malc2012_datalist
from monai_advdefense.guard.decision import accepts


@dataclass(frozen=True)
class Slices:
    """Slices that are not blank.

    Attributes:
        image: ``(N, 1, H, W)`` in [0, 1].
        label: true classes ``(N, H, W)``.
        volume: number of each slice's volume ``(N,)``.
        subject: subject of each slice ``(N,)``.
        slice: number of each slice in its volume ``(N,)``.
    """

    image: Tensor
    label: Tensor
    volume: npt.NDArray[np.integer[Any]]
    subject: npt.NDArray[np.str_]
    slice: npt.NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.volume)

    def places(self) -> dict[str, npt.NDArray[Any]]:
        """Where the slices are from, by name."""
        return {"volume": self.volume, "slice": self.slice, "subject": self.subject}

    def at(self, rows: Sequence[int]) -> Slices:
        """Some of the slices."""
        return replace(self, **{name: values[rows] for name, values in vars(self).items()})


def load_slices(config: ConfigParser, dataset_dir: Path, split: str) -> Slices:
    """All slices of a split that are not blank."""
    transform = config.get_parsed_content("train#preprocessing")
    sizes = {name: config.get_parsed_content(name) for name in ("slice_size", "slice_dim")}
    items = SliceDataset(malc2012_datalist(dataset_dir, split), transform, **sizes).data
    image = torch.stack([torch.as_tensor(item["image"]) for item in items]).float()
    label = torch.stack([torch.as_tensor(item["label"]) for item in items])[:, 0].long()
    return Slices(image, label, *(np.array([item[name] for item in items]) for name in ("volume", "subject", "slice")))


def guard_accepts(scores: npt.NDArray[Any], threshold: float) -> npt.NDArray[np.bool_]:
    """Decisions of the guard about slices that are not blank, in the shape of their ``scores``, by its own rule."""
    flat = torch.from_numpy(np.ravel(scores).astype(np.float64))
    decisions = accepts(torch.ones(len(flat), 1, 1), flat, torch.tensor(threshold, dtype=torch.float64))
    return decisions.numpy().reshape(np.shape(scores))


def evenly_spaced(volume: npt.NDArray[np.integer[Any]], wanted: int) -> list[int]:
    """Places of ``wanted`` slices of each volume, the middles of equal parts; all of them if there are fewer.

    Example:
        >>> evenly_spaced(np.zeros(10, int), 2)
        [2, 7]
    """
    rows: list[int] = []
    for places in (np.flatnonzero(volume == number) for number in np.unique(volume)):
        parts = min(wanted, len(places))
        rows += [int(places[(2 * part + 1) * len(places) // (2 * parts)]) for part in range(parts)]
    return rows
