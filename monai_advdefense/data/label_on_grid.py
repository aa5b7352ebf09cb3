"""A label map at the voxels of a preprocessed image."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from monai.data import MetaTensor
from monai.transforms import LoadImage, ResampleToMatch
from torch import Tensor

from monai_advdefense.data.checks.volume_file import check_volume_file
from monai_advdefense.data.load_volume import check_same_grid
from monai_advdefense.ras_affine import ras_affine
from monai_advdefense.transforms import MergeLabels

__all__ = ["label_on_grid"]


def label_on_grid(path: str | os.PathLike[str], image: MetaTensor, *, source_labels: Sequence[Sequence[int]]) -> Tensor:
    """Classes of a label map on the grid of an image, by nearest neighbours.

    Args:
        path: NIfTI file on the grid of the file that ``image`` was read from.
        image: ``(1, X, Y, Z)``, preprocessed; its metadata tell both grids and the file.
        source_labels: see :class:`~monai_advdefense.transforms.MergeLabels`.

    Returns:
        ``(X, Y, Z)`` int64.

    Raises:
        InputError: the file cannot be used, lies on another grid, or holds other labels.
    """
    check_volume_file(path, constant=True)
    check_same_grid([image.meta["filename_or_obj"], path])
    label = MergeLabels(source_labels)(LoadImage(ensure_channel_first=True, squeeze_non_spatial_dims=True)(path))
    # In double every label stays as it is.
    grid = MetaTensor(image.as_tensor().cpu(), affine=ras_affine(image).cpu())
    found = ResampleToMatch(mode="nearest", padding_mode="zeros", dtype=torch.float64)(label, grid)
    return torch.as_tensor(found).as_subclass(Tensor)[0].round().long()
