"""Write results into the exact geometry of their input, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import OutputError
from monai_advdefense.handlers.each_volume import EachVolume
from monai_advdefense.messages import broken_rule
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog

__all__ = ["VolumeWriter", "write_like"]


def write_like(
    array: np.ndarray[Any, Any],
    reference_path: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    dtype: str = "uint8",
) -> None:
    """Write an array as NIfTI with the header of a reference volume.

    Shape, affine, q-form and s-form with their codes, units, description, extensions, byte order and NIfTI version are
    those of the reference, bit for bit; data type, intensity scaling (none) and display range are those of the array.

    Args:
        array: values ``(X, Y, Z)`` on the voxel grid of the reference.
        reference_path: NIfTI file of the same shape (trailing dimensions of size one are kept).
        output_path: file to write, ``.nii`` or ``.nii.gz``; missing folders are made.
        dtype: data type on disk; integers must hold every value exactly.

    Raises:
        OutputError: if the shape differs, a value is not finite or does not fit into ``dtype``, or writing fails;
            nothing incomplete is left behind.
    """
    reference = nib.load(reference_path)
    shape = reference.shape
    if array.shape != shape[:3] or array.size != np.prod(shape):
        rule = f"an array of shape {shape} like {reference_path}"
        raise broken_rule(output_path, rule, array.shape, "bring it to that grid", error=OutputError)
    if not np.isfinite(array).all():
        raise broken_rule(output_path, "finite values", "NaN or infinity", "nothing was written", error=OutputError)
    with np.errstate(invalid="ignore", over="ignore"):
        stored = array.astype(dtype)
    if not (np.isfinite(stored) if stored.dtype.kind == "f" else stored == array).all():
        found = f"{array.min():g} to {array.max():g}"
        raise broken_rule(
            output_path, f"values that fit into {dtype}", found, "choose another dtype", error=OutputError
        )
    header = reference.header.copy()
    header.set_data_dtype(stored.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = stored.min(), stored.max()
    # Without an affine nibabel leaves q-form, s-form and their codes in the header untouched.
    volume = type(reference)(stored.reshape(shape), None, header)
    with atomic_path(output_path) as temporary:
        nib.save(volume, temporary)


class VolumeWriter(EachVolume):
    """Ignite handler that writes one output of each case into the geometry of its input, see :func:`write_like`.

    Attach it where outputs are lists of dictionaries (decollated) that postprocessing has brought back to the input's
    voxel grid.

    Args:
        outputs: where the results lie.
        run_log: where to record a volume that could not be written.
        key: name of the output to write, a tensor ``(1, X, Y, Z)``.
        image_key: name of the image whose metadata tell the path of the input.
        postfix: what is appended to the file name, after an underscore.
        suffix: ``.nii.gz`` or ``.nii``.
        dtype: data type on disk.

    Raises:
        OutputError: when the run starts, if the folder of the results cannot be made or written.
    """

    missing = "no result"

    def __init__(
        self,
        outputs: Outputs,
        run_log: RunLog,
        *,
        key: str = "pred",
        image_key: str = "image",
        postfix: str = "seg",
        suffix: str = ".nii.gz",
        dtype: str = "uint8",
    ) -> None:
        super().__init__(outputs, run_log, image_key)
        self.key = key
        self.postfix = postfix
        self.suffix = suffix
        self.dtype = dtype

    def path(self, source: str) -> Path:
        """Where the result of an input lies."""
        return self.outputs.path(source, self.postfix, self.suffix)

    def write(self, source: str, output: dict[str, Any]) -> Path:
        """Write the result of a volume."""
        value, target = output[self.key], self.outputs.claim(source, self.postfix, self.suffix)
        if value.ndim != 4 or value.shape[0] != 1:
            found = tuple(value.shape)
            raise broken_rule(
                target,
                f"one channel (1, X, Y, Z) under {self.key!r}",
                found,
                "take the class of the largest channel first, for example by AsDiscreted",
                error=OutputError,
            )
        write_like(value[0].detach().cpu().numpy(), source, target, self.dtype)
        return target
