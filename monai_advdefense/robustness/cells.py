"""Measurements on disk, so that a report goes on where it was killed, and several processes share it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monai_advdefense.atomic_path import atomic_path

__all__ = ["Cells"]


class Cells:
    """One JSON file for each measurement, named after the checksum of all that it depends on.

    Args:
        folder: where they lie.
        of: what all of them depend on, as JSON.

    Example:
        >>> import tempfile
        >>> cells = Cells(tempfile.mkdtemp(), of={"network": "abc"})
        >>> cells.get({"case": 1}), cells.make({"case": 1}, lambda: {"dice": 0.5}), cells.get({"case": 1})
        (None, {'dice': 0.5}, {'dice': 0.5})
    """

    def __init__(self, folder: str | Path, *, of: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.of = dict(of)

    def path(self, key: Mapping[str, Any]) -> Path:
        """File of a measurement."""
        text = json.dumps({**self.of, **key}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The measurement, or None if it is not there or not whole."""
        try:
            found = json.loads(self.path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def make(self, key: Mapping[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The measurement, made and written if it is not there.

        Raises:
            OutputError: if it cannot be written.
        """
        found = self.get(key)
        if found is None:
            found = measure()
            with atomic_path(self.path(key)) as temporary:
                temporary.write_text(json.dumps(found), encoding="utf-8")
        return found
