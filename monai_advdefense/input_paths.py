"""Paths that a command is given: one or several, files or folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from monai_advdefense.messages import broken_rule

__all__ = ["Inputs", "check_exists", "input_folder", "input_paths"]

Inputs = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def input_paths(data: Inputs) -> list[Path]:
    """The paths, absolute.

    Args:
        data: file or folder, or several.

    Raises:
        InputError: if there is none, one is empty, or one is given twice.

    Example:
        >>> [path.name for path in input_paths(["/data/site1", "/data/site2"])]
        ['site1', 'site2']
    """
    given = [data] if isinstance(data, (str, os.PathLike)) else list(data)
    # An empty word, as of a variable that is not set, would stand for the current folder.
    if not given or not all(map(os.fspath, given)):
        raise broken_rule("INPUT", "a file or a folder", "an empty path" if given else "none", "name one")
    paths = [Path(os.path.abspath(path)) for path in given]
    seen: set[str] = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            raise broken_rule(path, "each input once", "it twice", "name it once")
        seen.add(real)
    return paths


def check_exists(path: str | os.PathLike[str]) -> None:
    """Check that there is a file or a folder at a path.

    Raises:
        InputError: if there is none.
    """
    if not os.path.exists(path):
        raise broken_rule(path, "a file or a folder of inputs", "no such file or folder", "check the path")


def input_folder(paths: Sequence[Path]) -> Path:
    """The folder below which results are called by the names of their inputs: the one path, or what all lie in.

    Example:
        >>> input_folder([Path("/data/site1/a.nii"), Path("/data/site2")]).as_posix()
        '/data'
    """
    if len(paths) == 1:
        return paths[0]
    return Path(os.path.commonpath([path.parent for path in paths]))
