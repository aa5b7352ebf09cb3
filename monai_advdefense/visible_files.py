"""The files of a folder of inputs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from monai_advdefense.messages import broken_rule

__all__ = ["visible_files"]


def visible_files(root: Path, *, exclude: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """Files of a folder and its subfolders, in the same order on every system.

    Hidden files and folders are left out, and links to folders are not followed.

    Args:
        root: the folder.
        exclude: folder inside to leave out, by whatever link.

    Raises:
        InputError: if a folder cannot be read.
    """
    excluded = None if exclude is None else Path(os.path.realpath(exclude))
    try:
        for folder, subfolders, files in os.walk(root, onerror=_raise):
            here = Path(folder)
            subfolders[:] = sorted(s for s in subfolders if not s.startswith(".") and (here / s).resolve() != excluded)
            yield from (here / name for name in sorted(files) if not name.startswith("."))
    except OSError as error:
        raise broken_rule(error.filename, "a readable folder", error.strerror, "check its permissions") from error


def _raise(error: OSError) -> None:
    """By default a folder that cannot be read is skipped without a word."""
    raise error
