"""Rules for the header of a NIfTI volume.

Nothing is repaired: a header that readers would silently correct is refused, because two programs would correct it
differently.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.orientations import aff2axcodes
from nibabel.spatialimages import HeaderDataError

from monai_advdefense.messages import broken_rule, reason

__all__ = ["VoxelLayout", "check_header", "read_header"]

_MAX_OFFSET = 64 * 2**20  # header extensions included
_MAX_VOXELS = 2**29  # 2 GiB as float32: a guard for the memory, far above any brain
_SLOPE_RANGE = (1e-6, 1e6)
_SPACING_RANGE = (0.05, 50.0)
# How much longer than 1 rounding makes a quaternion in single precision, with a margin.
_QUATERNION_ROUNDING = 1e-5
_RELATIVE_TOLERANCE = 1e-3
_MIN_ORTHOGONALITY = 0.5
_UNITS = {0: "unknown", 1: "meters", 2: "millimeters", 3: "micrometers"}
_FORMATS: dict[bytes, tuple[type[Nifti1Header], slice, bytes]] = {
    size.to_bytes(4, order): rule  # type: ignore[arg-type]
    for order in ("little", "big")
    for size, rule in (
        (348, (Nifti1Header, slice(344, 348), b"n+1\0")),
        (540, (Nifti2Header, slice(4, 8), b"n+2\0")),
    )
}


class VoxelLayout(NamedTuple):
    """Where the voxels of a file are, and how to read them."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float


def read_header(path: Path, stream: IO[bytes]) -> tuple[Nifti1Header, int]:
    """Read a header as it is on disk, without the corrections that nibabel makes on loading.

    Args:
        path: the file, for the message.
        stream: its decompressed bytes, at the start.

    Returns:
        Header, and the number of bytes that were read.

    Raises:
        InputError: if the file does not start with a NIfTI-1 or NIfTI-2 header of the one-file form.
    """
    block = stream.read(348)
    if block[:4] in _FORMATS:
        header_class, where, magic = _FORMATS[block[:4]]
        size = header_class.template_dtype.itemsize
        block += stream.read(size - len(block))
        if len(block) == size and block[where] == magic:
            return header_class(block, check=False), size
    found = "other data" if block else "nothing"
    raise broken_rule(path, "a NIfTI-1 or NIfTI-2 header and voxels in one file", found, "convert it to NIfTI")


def check_header(path: Path, header: Nifti1Header) -> VoxelLayout:
    """Check everything that a header says about one 3-D volume.

    Args:
        path: the file, for the message.
        header: header as on disk, see :func:`read_header`.

    Returns:
        What is needed to read the voxels.

    Raises:
        InputError: if a rule is broken.
    """
    shape = _check_shape(path, header)
    dtype = _check_dtype(path, header)
    _check_geometry(path, header, shape)
    return VoxelLayout(shape, dtype, _check_offset(path, header), *_check_scaling(path, header))


def _check_shape(path: Path, header: Nifti1Header) -> tuple[int, int, int]:
    ndim = int(header["dim"][0])
    shape = [int(n) for n in header["dim"][1 : 1 + max(ndim, 0)]]
    if not 1 <= ndim <= 7 or min(shape) < 1:
        raise broken_rule(path, "a header with valid dimensions", f"{header['dim'].tolist()}", "export it again")
    if ndim < 3:
        remedy = "save it as a volume of one slice, with its place and orientation"
        raise broken_rule(path, "a 3-D volume", f"{ndim} dimensions {shape}", remedy)
    # Further dimensions of one volume are common, and mean the same.
    if max(shape[3:], default=1) > 1:
        raise broken_rule(path, "a 3-D volume", f"{ndim} dimensions {shape}", "extract one volume and save it alone")
    return shape[0], shape[1], shape[2]


def _check_dtype(path: Path, header: Nifti1Header) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except (HeaderDataError, KeyError):
        dtype = np.dtype("V1")
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        code = int(header["datatype"])
        raise broken_rule(path, "real voxels (integers, float32, float64)", f"data type code {code}", "convert it")
    return dtype


def _check_geometry(path: Path, header: Nifti1Header, shape: tuple[int, int, int]) -> None:
    unit = _UNITS.get(int(header["xyzt_units"]) & 7, "an invalid code")
    if unit not in ("millimeters", "unknown"):
        raise broken_rule(path, "millimeters as unit of length", unit, "convert the header to millimeters")
    spacing = header["pixdim"][1:4].astype(float)
    if not all(_SPACING_RANGE[0] <= value <= _SPACING_RANGE[1] for value in spacing):
        allowed = f"voxel sizes of {_SPACING_RANGE[0]} to {_SPACING_RANGE[1]:g} mm"
        raise broken_rule(path, allowed, _times(spacing), "correct the voxel size in the header")
    affines = _affines(path, header)
    for name, affine in affines.items():
        _check_affine(path, name, affine, spacing)
    axes = {name: "".join(aff2axcodes(affine)) for name, affine in affines.items()}
    if len(set(axes.values())) > 1:
        raise broken_rule(path, "qform and sform with the same axes", f"{axes}", "correct or clear the wrong one")
    voxels = max(np.prod(shape, dtype=float), np.prod(np.ceil(shape * spacing)))
    if voxels > _MAX_VOXELS:
        found = f"{voxels:.0f} in shape {shape}"
        raise broken_rule(path, f"at most {_MAX_VOXELS} voxels, resampled to 1 mm too", found, "crop the empty border")


def _affines(path: Path, header: Nifti1Header) -> dict[str, np.ndarray[Any, Any]]:
    """The affines that the header declares valid; at least one."""
    codes = {name: int(header[f"{name}_code"]) for name in ("sform", "qform")}
    if not all(0 <= code <= 5 for code in codes.values()):
        raise broken_rule(path, "qform and sform codes of 0 to 5", f"{codes}", "export it again")
    if not any(codes.values()):
        raise broken_rule(
            path,
            "an orientation",
            "qform and sform codes of 0, with which left and right are a guess",
            "set the right one and its code",
        )
    if codes["qform"] and header["pixdim"][0] not in (-1, 0, 1):
        raise broken_rule(path, "a qform with handedness 1 or -1", f"{header['pixdim'][0]:g}", "export it again")
    header = header.copy()
    header["pixdim"][0] = header["pixdim"][0] or 1  # 0 stands for 1 by the standard
    _shorten_quaternion(header)
    try:
        return {name: getattr(header, f"get_{name}")() for name, code in codes.items() if code}
    except (ValueError, HeaderDataError) as error:
        raise broken_rule(path, "a valid qform", reason(error), "export it again") from error


def _shorten_quaternion(header: Nifti1Header) -> None:
    """Make the three stored numbers of a unit quaternion no longer than 1 where only rounding made them so.

    Single precision does that to half turns, and nibabel refuses them where it is asked for the qform.
    """
    names = ("quatern_b", "quatern_c", "quatern_d")
    length = float(np.linalg.norm([float(header[name]) for name in names]))
    if 1 < length <= 1 + _QUATERNION_ROUNDING:
        for name in names:
            header[name] = float(header[name]) / length


def _check_affine(path: Path, name: str, affine: np.ndarray[Any, Any], spacing: np.ndarray[Any, Any]) -> None:
    if not np.isfinite(affine).all():
        raise broken_rule(path, "a finite affine", f"NaN or infinity in the {name}", "export it again")
    lengths = np.sqrt((affine[:3, :3] ** 2).sum(0))
    orthogonality = abs(np.linalg.det(affine[:3, :3])) / max(lengths.prod(), np.finfo(float).tiny)
    if not orthogonality >= _MIN_ORTHOGONALITY:
        raise broken_rule(path, "an affine with three independent axes", f"a singular {name}", "export it again")
    if not np.allclose(lengths, spacing, rtol=_RELATIVE_TOLERANCE, atol=0):
        rule = f"an affine with the voxel size of the header, {_times(spacing)} mm"
        raise broken_rule(path, rule, f"{_times(lengths)} in the {name}", "correct the wrong one")


def _check_offset(path: Path, header: Nifti1Header) -> int:
    offset, least = float(header["vox_offset"]), header.single_vox_offset
    if not (least <= offset <= _MAX_OFFSET and offset == int(offset)):
        raise broken_rule(path, f"voxels that start at byte {least} or later", f"{offset:g}", "export it again")
    return int(offset)


def _check_scaling(path: Path, header: Nifti1Header) -> tuple[float, float]:
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):  # the two ways to say "not scaled"
        return 1.0, 0.0
    if not (_SLOPE_RANGE[0] <= abs(slope) <= _SLOPE_RANGE[1] and np.isfinite(inter)):
        rule = f"an intensity slope of size {_SLOPE_RANGE[0]:g} to {_SLOPE_RANGE[1]:g} and a finite intercept"
        raise broken_rule(path, rule, f"{slope:g} and {inter:g}", "save it without scaling")
    return slope, inter


def _times(values: np.ndarray[Any, Any]) -> str:
    return " x ".join(f"{value:g}" for value in values)
