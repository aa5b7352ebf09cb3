"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from monai_advdefense.errors import AdvDefenseError, OutputError
from monai_advdefense.messages import broken_rule, one_line

__all__ = ["atomic_path", "check_writable"]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file under a temporary name beside it; it gets its own name only when it is complete.

    Args:
        path: final path; missing folders are made. An older file is replaced.

    Yields:
        Hidden temporary path with the same ending, to be written within the ``with`` block.

    Raises:
        OutputError: if the system refuses (no space, no permission, name too long); nothing is left behind, and an
            older file stays as it was.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "scores.csv"
        >>> with atomic_path(target) as temporary:
        ...     size = temporary.write_text("slice,score")
        >>> target.read_text()
        'slice,score'
    """
    path = Path(path)
    # The ending tells nibabel whether to compress.
    ending = path.name[-7:] if path.name.lower().endswith(".nii.gz") else path.suffix
    temporary = path.with_name(f".{uuid4().hex}{ending}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OutputError:
        raise
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        if os.path.lexists(temporary):
            temporary.unlink()


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check that a file can be written, before hours are spent on what belongs there; missing folders are made.

    Raises:
        OutputError: if the system refuses, or there is a folder of this name.
    """
    path = Path(path)
    if path.is_dir():
        raise broken_rule(path, "a file to write", "a folder", "name a file in it", error=OutputError)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> AdvDefenseError:
    found = one_line(error.strerror or error)
    return broken_rule(path, "to write here", found, "check free space and permissions", error=OutputError)
