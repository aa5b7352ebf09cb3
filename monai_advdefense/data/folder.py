"""From a folder of volumes to a list of inputs."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from monai_advdefense.input_paths import Inputs, check_exists, input_paths
from monai_advdefense.messages import broken_rule, one_line
from monai_advdefense.nifti_names import NIFTI_SUFFIXES
from monai_advdefense.visible_files import visible_files

__all__ = ["volume_datalist"]


def volume_datalist(dataset_dir: Inputs, *, exclude: str | os.PathLike[str] | None = None) -> list[dict[str, str]]:
    """List the NIfTI volumes of a folder and its subfolders, sorted by path.

    A folder with ``images`` and ``labels`` inside stands for its ``images``. Hidden files and folders are left out, and
    links to folders are not followed. The files are not opened: :func:`monai_advdefense.data.check_volume_file` is
    for that, one by one, so that one bad file does not stop the others.

    Args:
        dataset_dir: folder, or one single file, or several of them.
        exclude: folder inside ``dataset_dir`` to leave out, usually the one to which results are written, so that a
            second run does not take the results of the first for inputs.

    Returns:
        One ``{"image": absolute path}`` per volume.

    Raises:
        InputError: if there is no such folder, it cannot be read, it holds no NIfTI file, it is all excluded, or a
            volume lies in two of several.
    """
    volumes = sorted(volume for path in input_paths(dataset_dir) for volume in _volumes_at(path, exclude))
    twice = next((first for first, second in pairwise(volumes) if first == second), None)
    if twice is not None:
        raise broken_rule(twice, "each volume once", "it in two of the inputs", "name it once")
    return [{"image": str(path)} for path in volumes]


def _volumes_at(root: Path, exclude: str | os.PathLike[str] | None) -> list[Path]:
    """The NIfTI files of one folder, or the one file."""
    if root.is_file():
        return [root]
    check_exists(root)
    name = one_line(root)
    # Links to the same folder must not hide that it is the same.
    excluded = None if exclude is None else Path(os.path.realpath(exclude))
    if (root / "images").is_dir() and (root / "labels").is_dir():
        root = root / "images"
    real = Path(os.path.realpath(root))
    if excluded is not None and (excluded == real or excluded in real.parents):
        raise broken_rule(name, "results outside the folder of inputs", "the same", "change output_dir")
    found = [path for path in visible_files(root, exclude=excluded) if path.name.lower().endswith(NIFTI_SUFFIXES)]
    if not found:
        raise broken_rule(name, "NIfTI files (.nii, .nii.gz)", "none", "check the path")
    return found
