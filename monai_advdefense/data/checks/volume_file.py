"""Rules that an input volume must meet before anything is computed from it."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import IO, cast

import nibabel as nib
import numpy as np

from monai_advdefense.data.checks.nifti_header import VoxelLayout, check_header, read_header
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.nifti_names import NIFTI_SUFFIXES

__all__ = ["check_volume_file"]

_CHUNK_BYTES = 8 * 2**20  # a multiple of every item size
_MAX_INTENSITY = 1e30


def check_volume_file(path: str | os.PathLike[str], *, constant: bool = False) -> tuple[float, float]:
    """Check that a file is a 3-D NIfTI volume from which a brain can be segmented.

    The file is read once to its end, gzip checksum included, in pieces of a few megabytes: a header that claims more
    than the file holds, or a compressed file that holds more than its header claims, costs neither memory nor time.
    Refused are also files whose geometry is ambiguous (no orientation code, qform and sform that disagree on the
    axes, voxel sizes that disagree with the affine, units other than millimeters). Further dimensions of size one, as
    many tools write them, are accepted.

    Args:
        path: ``.nii`` or ``.nii.gz`` file.
        constant: allow the same value in every voxel, or none above 0, as in a label map without any structure.

    Returns:
        The lowest and the highest intensity.

    Raises:
        InputError: if a rule is broken; the message is one line that names the file, the rule, what was found and
            what to do.
    """
    path = Path(path)
    _check_path(path)
    try:
        with _open(path) as stream:
            header, count = read_header(path, stream)
            layout = check_header(path, header)
            _check_length(path, layout)
            stream.read(layout.offset - count)
            low, high = _check_voxels(path, stream, layout)
    except (EOFError, OSError, zlib.error) as error:
        raise broken_rule(
            path, "a file that can be read to its end", reason(error), "copy or export it again"
        ) from error
    # A negative slope turns the range round.
    low, high = sorted(value * layout.slope + layout.inter for value in (low, high))
    _check_intensities(path, low, high, constant)
    try:
        nib.load(path)
    except Exception as error:
        raise broken_rule(path, "a file that nibabel can read", reason(error), "export it again") from error
    return low, high


def _check_path(path: Path) -> None:
    if not os.path.lexists(path):
        raise broken_rule(path, "a volume", "no such file", "check the path")
    if path.is_symlink() and not path.exists():
        raise broken_rule(path, "a volume", "a broken link", f"fetch or restore {os.readlink(path)}")
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no regular file"
        raise broken_rule(path, "a volume", found, "give the path of a NIfTI file")
    if not path.name.lower().endswith(NIFTI_SUFFIXES):
        raise broken_rule(path, "a NIfTI file (.nii, .nii.gz)", "another file ending", "convert it to NIfTI")


def _open(path: Path) -> IO[bytes]:
    """Open for reading decompressed bytes; the name and the first bytes must agree on compression."""
    with path.open("rb") as file:
        start = file.read(2)
    compressed = start == b"\x1f\x8b"
    if not start:
        raise broken_rule(path, "a NIfTI volume", "an empty file", "copy or export it again")
    if compressed != path.name.lower().endswith(".gz"):
        expected, found = ("NIfTI", "gzip") if compressed else ("gzip", "no gzip")
        raise broken_rule(path, f"{expected} data, as the name says", f"{found} data", "rename it, or export it again")
    return cast(IO[bytes], gzip.open(path, "rb") if compressed else path.open("rb"))


def _check_length(path: Path, layout: VoxelLayout) -> None:
    expected = layout.offset + int(np.prod(layout.shape, dtype=np.int64)) * layout.dtype.itemsize
    found = path.stat().st_size
    if not path.name.lower().endswith(".gz") and found != expected:
        remedy = "the file is damaged: copy or export it again"
        raise broken_rule(path, f"{expected} bytes, as the header says", f"{found} bytes", remedy)


def _check_voxels(path: Path, stream: IO[bytes], layout: VoxelLayout) -> tuple[float, float]:
    """Read all voxels piece by piece; their range."""
    itemsize = layout.dtype.itemsize
    total = int(np.prod(layout.shape, dtype=np.int64))
    low, high, done, bad, first_bad = np.inf, -np.inf, 0, 0, 0
    while done < total:
        wanted = min(_CHUNK_BYTES, (total - done) * itemsize)
        block = stream.read(wanted)
        if len(block) < wanted:
            found = f"{done + len(block) // itemsize}"
            raise broken_rule(
                path, f"{total} voxels, as the header says", found, "the file is damaged: export it again"
            )
        values = np.frombuffer(block, layout.dtype)
        finite = np.isfinite(values)
        if not finite.all():
            first_bad = first_bad if bad else done + int(np.argmin(finite))
            bad += int((~finite).sum())
            values = values[finite]
        if len(values):
            low, high = min(low, float(values.min())), max(high, float(values.max()))
        done += wanted // itemsize
    if stream.read(1):
        raise broken_rule(path, f"{total} voxels, as the header says", "more", "the file is damaged: export it again")
    if bad:
        first = tuple(int(i) for i in np.unravel_index(first_bad, layout.shape, order="F"))
        found = f"{bad} that are NaN or infinite, first at {first}"
        raise broken_rule(path, "finite voxels", found, "replace them, or export it again")
    return low, high


def _check_intensities(path: Path, low: float, high: float, constant: bool) -> None:
    if max(abs(low), abs(high)) > _MAX_INTENSITY:
        raise broken_rule(path, f"voxels up to {_MAX_INTENSITY:g}", f"{low:g} to {high:g}", "export it again")
    if constant:
        return
    if np.float32(low) == np.float32(high):
        raise broken_rule(path, "an image", f"the value {low:g} in every voxel", "check how it was made")
    if high <= 0:
        raise broken_rule(path, "a brain (voxels above 0)", f"values {low:g} to {high:g}", "check how it was made")
