"""Where results belong."""

from __future__ import annotations

import os
from pathlib import Path

from monai_advdefense.data.checks.volume_file import NIFTI_SUFFIXES
from monai_advdefense.errors import InputError
from monai_advdefense.messages import one_line

__all__ = ["output_path"]


def output_path(
    input_path: str | os.PathLike[str],
    dataset_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    postfix: str = "seg",
    suffix: str = ".nii.gz",
) -> Path:
    """Where a result of an input belongs: the input's path below ``dataset_dir``, mirrored below ``output_dir``.

    Two inputs never share a result: folders are mirrored, and of the inputs in one folder whose names differ in the
    ending alone (``a.nii.gz``, ``a.nii``, ``a.NII``) the first of this order gives the results ``a_...``, the
    others ``a.nii_...`` and ``a.NII_...``.

    Args:
        input_path: path of the input volume.
        dataset_dir: folder of the inputs, or the one input file itself.
        output_dir: folder of the results.
        postfix: what is appended to the name, after an underscore.
        suffix: file ending of the result, such as ``.csv``.

    Raises:
        InputError: if the input does not lie in ``dataset_dir``, or the result would lie beside the input.

    Example:
        >>> output_path("/data/site1/a.nii.gz", "/data", "/out").as_posix()
        '/out/site1/a_seg.nii.gz'
        >>> output_path("/data/site1/a.nii.gz", "/data", "/out", "scores", ".csv").as_posix()
        '/out/site1/a_scores.csv'
    """
    source = Path(os.path.abspath(input_path))
    folder = Path(os.path.abspath(dataset_dir))
    if folder == source:
        folder = source.parent
    if folder not in source.parents:
        source, folder = source.resolve(), folder.resolve()  # the same folder by way of a link
    if folder not in source.parents:
        raise InputError(
            f"{one_line(source)}: expected an input below {one_line(folder)}, found it elsewhere: set dataset_dir to a "
            "folder that holds all inputs"
        )
    folder_of_result = Path(os.path.abspath(output_dir)) / source.relative_to(folder).parent
    target = folder_of_result / f"{_name_of_result(source)}_{postfix}{suffix}"
    # Also by way of links.
    if os.path.realpath(target.parent) == os.path.realpath(source.parent):
        # Beside the inputs, "a_seg.nii.gz" may well be somebody's manual segmentation, or the next input.
        raise InputError(
            f"{one_line(target)}: expected results away from the inputs, found one folder: change output_dir"
        )
    return target


def _name_of_result(source: Path) -> str:
    """The input's name, without its ending if no other input has a better claim to that."""
    stem = _stem(source.name)
    try:
        rivals = [name for name in os.listdir(source.parent) if _stem(name) == stem != name]
    except OSError:
        rivals = []
    first = min([source.name, *rivals], key=lambda name: (name != f"{stem}.nii.gz", name != f"{stem}.nii", name))
    # A stem that still ends like a volume is the full name of another input.
    return stem if source.name == first and _stem(stem) == stem else source.name


def _stem(name: str) -> str:
    """The name of a volume without its ending; another name as it is."""
    return next((name[: -len(ending)] for ending in NIFTI_SUFFIXES if name.lower().endswith(ending)), name)
