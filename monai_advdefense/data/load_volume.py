"""Load and preprocess a case, with all checks of an input before and after."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.utils import convert_to_tensor

from monai_advdefense.data.checks.slice_size import check_slice_size
from monai_advdefense.data.checks.volume_file import check_volume_file
from monai_advdefense.errors import InputError
from monai_advdefense.messages import broken_rule, one_line

__all__ = ["check_same_grid", "load_volume", "load_volumes"]

_SAME_MM = 0.01
_ROUNDING = 1e-4


def load_volume(
    case: Mapping[str, Any],
    transform: Callable[..., Any],
    *,
    keys: Sequence[str] = ("image", "label"),
    slice_size: Sequence[int],
    slice_dim: int,
) -> dict[str, Any]:
    """Load and preprocess one case.

    A line on stderr tells of an image with voxels below 0.

    Args:
        case: the paths of the volumes, and further entries; an array in place of a path is not checked as a file.
        transform: loading and preprocessing; it leaves a tensor ``(1, X, Y, Z)`` under the first key, RAS, 1 mm.
        keys: the entries that are volumes, the image first; those that the case lacks are left out.
        slice_size: sides of the slices that ``transform`` gives, in voxels.
        slice_dim: spatial axis that counts the slices; 1 is coronal.

    Returns:
        What ``transform`` gives.

    Raises:
        InputError: if a file breaks a rule of :func:`~monai_advdefense.data.check_volume_file`, the volumes of the case
            do not lie on one grid, preprocessing fails, or its result is not finite or has slices of another size; the
            message is one line that names the file.
    """
    paths = {key: case[key] for key in keys if isinstance(case.get(key), (str, os.PathLike))}
    for key, path in paths.items():
        # A case without any structure has a label map of one value.
        low, high = check_volume_file(path, constant=key != keys[0])
        if key == keys[0]:
            _warn_of_negative(path, low, high)
    check_same_grid(list(paths.values()))
    name = paths.get(keys[0], keys[0])
    try:
        loaded: dict[str, Any] = transform(dict(case))
    except Exception as error:
        cause = _first_cause(error)
        if isinstance(cause, InputError):
            raise cause from None
        found = one_line(" ".join(f"{type(cause).__name__}: {cause}".split()))
        remedy = "check the volume, or the preprocessing if it fails for all"
        raise broken_rule(name, "a volume that can be preprocessed", found, remedy) from error
    image = loaded[keys[0]]
    if not torch.isfinite(convert_to_tensor(image)).all():
        raise broken_rule(name, "finite intensities after preprocessing", "NaN or infinity", "check them")
    check_slice_size(image, slice_size, slice_dim=slice_dim, path=name)
    return loaded


def load_volumes(
    data: Sequence[Mapping[str, Any]],
    transform: Callable[..., Any],
    *,
    keys: Sequence[str] = ("image", "label"),
    slice_size: Sequence[int],
    slice_dim: int,
) -> list[dict[str, Any]]:
    """Load and preprocess cases that are all needed, such as those of a test split; see :func:`load_volume`.

    Raises:
        InputError: for the first case that cannot be used.
    """
    return [load_volume(case, transform, keys=keys, slice_size=slice_size, slice_dim=slice_dim) for case in data]


def check_same_grid(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse volumes that do not lie on the grid of the first.

    Raises:
        InputError: for the first that does not.
    """
    volumes = [nib.load(path) for path in paths]
    for path, volume in zip(paths[1:], volumes[1:], strict=True):
        shapes = volume.shape[:3], volumes[0].shape[:3]
        rule = f"the voxel grid of {one_line(paths[0])}"
        if shapes[0] != shapes[1]:
            raise broken_rule(path, rule, f"shape {shapes[0]} beside {shapes[1]}", "resample it to that grid")
        if not np.allclose(volume.affine, volumes[0].affine, rtol=0, atol=_SAME_MM):
            raise broken_rule(path, rule, "another affine", "resample it, or correct the wrong header")


def _warn_of_negative(path: str | os.PathLike[str], low: float, high: float) -> None:
    """Tell of an image whose background is not its lowest value, which looks like ghosts to a guard."""
    # Less is no tissue once the image is scaled, see is_blank.
    if low < -_ROUNDING * high:
        remedy = "the background lies above it and may count as tissue: set what is outside the brain to 0"
        print(f"warning: {broken_rule(path, 'no voxels below 0', f'{low:g}', remedy)}", file=sys.stderr, flush=True)


def _first_cause(error: BaseException) -> BaseException:
    """The first of a chain of exceptions; the later ones name only transforms."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
