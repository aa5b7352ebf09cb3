"""Results of an earlier run must not stand beside newer ones."""

from __future__ import annotations

from pathlib import Path

from monai_advdefense.errors import OutputError
from monai_advdefense.messages import one_line

__all__ = ["remove_older_result"]


def remove_older_result(path: Path) -> None:
    """Remove a file if it is there.

    Raises:
        OutputError: if the system refuses.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{one_line(path)}: expected to write here, found {error.strerror}: check its permissions, or choose "
            "another output_dir"
        ) from error
