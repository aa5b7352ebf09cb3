"""Checksums of files, and the ``SHA256SUMS`` beside them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.messages import broken_rule, reason

__all__ = ["SUMS", "check_sum", "file_sha256", "stated_sum"]

SUMS = "SHA256SUMS"
"""Name of a file of checksums, as ``sha256sum`` writes it."""

_LINE = re.compile(r"(?P<digest>[0-9a-fA-F]{64})\s+[*]?(?:[.]/)?(?P<name>.+)")


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file as hexadecimal digits.

    Raises:
        InputError: if the file cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise broken_rule(path, "a readable file", error.strerror, "check the path") from error


def check_sum(path: str | os.PathLike[str]) -> None:
    """Check a file against the ``SHA256SUMS`` beside it, if that names it.

    Raises:
        InputError: if another checksum is stated, or ``SHA256SUMS`` cannot be read.
    """
    path = Path(path)
    stated = _stated(path).get(path.name)
    if stated is not None and path.is_file() and file_sha256(path) != stated:
        remedy = f"copy it again; if it is meant to be another, remove its line from {SUMS}"
        raise broken_rule(path, f"the checksum that {SUMS} states", "another", remedy)


@contextmanager
def stated_sum(path: str | os.PathLike[str]) -> Iterator[None]:
    """Write a file within the block; where there is a ``SHA256SUMS`` beside it, its checksum is stated there.

    Meanwhile none is stated, so that a file that was cut off from its checksum is not refused for it.
    """
    path = Path(path)
    sums = path.with_name(SUMS)
    if path.name in _stated(path):
        _write(sums, {name: digest for name, digest in _stated(path).items() if name != path.name})
    try:
        yield
    finally:
        if sums.is_file() and path.is_file():
            _write(sums, {**_stated(path), path.name: file_sha256(path)})


def _stated(path: Path) -> dict[str, str]:
    """Checksums by name of what lies beside a file, as ``sha256sum`` writes them."""
    sums = path.with_name(SUMS)
    if not sums.is_file():
        return {}
    try:
        lines = [line for line in sums.read_text(encoding="utf-8").splitlines() if line.strip()]
        found = [_LINE.fullmatch(line) for line in lines]
        if not all(found):
            raise ValueError(lines[found.index(None)])
        return {line["name"]: line["digest"].lower() for line in found if line}
    except (OSError, ValueError) as error:
        raise broken_rule(sums, "lines of checksum and name", reason(error), "write it anew by sha256sum") from error


def _write(sums: Path, digests: dict[str, str]) -> None:
    with atomic_path(sums) as temporary:
        temporary.write_text("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)), encoding="utf-8")
