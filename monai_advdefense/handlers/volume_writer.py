"""Write results into the exact geometry of their input, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import nibabel as nib
import numpy as np
from ignite.engine import Engine, Events

from monai_advdefense.data.checks import NIFTI_SUFFIXES
from monai_advdefense.data.messages import one_line
from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import InputError, OutputError

__all__ = ["VolumeWriter", "atomic_path", "output_path", "write_like"]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file under a temporary name beside it; it gets its own name only when it is complete.

    Args:
        path: final path; missing folders are made. An older file is replaced.

    Yields:
        Hidden temporary path with the same ending, to be written within the ``with`` block.

    Raises:
        OutputError: if the system refuses (no space, no permission, name too long); nothing is left behind.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "scores.csv"
        >>> with atomic_path(target) as temporary:
        ...     size = temporary.write_text("slice,score")
        >>> target.read_text()
        'slice,score'
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid4().hex}{_suffix(path.name)}")
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
        reference_path: NIfTI file of the same shape (one trailing dimension of size one is kept).
        output_path: file to write, ``.nii`` or ``.nii.gz``; missing folders are made.
        dtype: data type on disk; integers must hold every value exactly.

    Raises:
        OutputError: if the shape differs, a value is not finite or does not fit into ``dtype``, or writing fails;
            nothing incomplete is left behind.
    """
    name = one_line(output_path)
    reference = nib.load(reference_path)
    shape = reference.shape
    if array.shape != shape[:3] or array.size != np.prod(shape):
        raise OutputError(
            f"{name}: expected an array of shape {shape} like {one_line(reference_path)}, found {array.shape}"
        )
    if not np.isfinite(array).all():
        raise OutputError(f"{name}: expected finite values, found NaN or infinity: nothing was written")
    with np.errstate(invalid="ignore", over="ignore"):
        stored = array.astype(dtype)
    if not (np.isfinite(stored) if stored.dtype.kind == "f" else stored == array).all():
        found = f"{array.min():g} to {array.max():g}"
        raise OutputError(f"{name}: expected values that fit into {dtype}, found {found}: choose another dtype")
    header = reference.header.copy()
    header.set_data_dtype(stored.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = stored.min(), stored.max()
    # Without an affine nibabel leaves q-form, s-form and their codes in the header untouched.
    volume = type(reference)(stored.reshape(shape), None, header)
    with atomic_path(output_path) as temporary:
        nib.save(volume, temporary)


def output_path(
    input_path: str | os.PathLike[str],
    dataset_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    postfix: str = "seg",
    suffix: str = ".nii.gz",
) -> Path:
    """Where a result of an input belongs: the input's path below ``dataset_dir``, mirrored below ``output_dir``.

    Two inputs never share a result: folders are mirrored, and where ``a.nii`` lies beside ``a.nii.gz``, its results
    are called ``a.nii_...``.

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
    target = folder_of_result / f"{_stem(source)}_{postfix}{suffix}"
    if target.parent == source.parent:
        # Beside the inputs, "a_seg.nii.gz" may well be somebody's manual segmentation, or the next input.
        raise InputError(
            f"{one_line(target)}: expected results away from the inputs, found one folder: change output_dir"
        )
    return target


class VolumeWriter:
    """Ignite handler that writes one output of each case into the geometry of its input, see :func:`write_like`.

    The path mirrors the input's, see :func:`output_path`. Attach it where outputs are lists of dictionaries
    (decollated), after postprocessing has brought them back to the input's voxel grid.

    Args:
        output_dir: folder of the results.
        dataset_dir: folder of the inputs, or the one input file.
        key: name of the output to write, a tensor ``(1, X, Y, Z)``.
        image_key: name of the image whose metadata tell the path of the input.
        postfix: what is appended to the file name, after an underscore.
        suffix: ``.nii.gz`` or ``.nii``.
        dtype: data type on disk.
        dataset: where to record a case that could not be written, so that the run goes on with the next; without it
            the error is raised.

    Raises:
        OutputError: in the run, if the folder of the results cannot be made, or if a result cannot be written and
            there is no ``dataset``.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        dataset_dir: str | os.PathLike[str],
        *,
        key: str = "pred",
        image_key: str = "image",
        postfix: str = "seg",
        suffix: str = ".nii.gz",
        dtype: str = "uint8",
        dataset: VolumeDataset | None = None,
    ) -> None:
        self.output_dir = output_dir
        self.dataset_dir = dataset_dir
        self.key = key
        self.image_key = image_key
        self.postfix = postfix
        self.suffix = suffix
        self.dtype = dtype
        self.dataset = dataset
        self._written: set[Path] = set()

    def attach(self, engine: Engine) -> None:
        """Write after every iteration of ``engine``."""
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def started(self, engine: Engine) -> None:
        """Make the folder of the results: if that fails, it fails before anything was computed."""
        self._written.clear()
        try:
            Path(self.output_dir).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(self.output_dir, error) from error

    def __call__(self, engine: Engine) -> None:
        """Write the cases of the current iteration."""
        for case in engine.state.output:
            source = str(case[self.image_key].meta["filename_or_obj"])
            try:
                target = self._write(source, case[self.key])
            except (InputError, OutputError) as error:
                if self.dataset is None:
                    raise
                self.dataset.fail(source, f"{one_line(source)}: no result: {error}")
            else:
                engine.logger.info("wrote %s", target)

    def _write(self, source: str, value: Any) -> Path:
        target = output_path(source, self.dataset_dir, self.output_dir, self.postfix, self.suffix)
        if target in self._written:
            raise OutputError(f"{one_line(target)}: expected one input per result, found two: rename one of the inputs")
        write_like(value[0].detach().cpu().numpy(), source, target, self.dtype)
        self._written.add(target)
        return target


def _refused(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """The system's refusal as an error of this package."""
    found = one_line(error.strerror or error)
    return OutputError(f"{one_line(path)}: expected to write here, found {found}: check free space and permissions")


def _suffix(name: str) -> str:
    """The ending of a file name; both parts of ``.nii.gz``."""
    return next((name[-len(s) :] for s in NIFTI_SUFFIXES if name.lower().endswith(s)), Path(name).suffix)


def _stem(source: Path) -> str:
    """Name without ending, unless another NIfTI file in the folder has the same and ends in ``.nii.gz``."""
    stem = source.name.removesuffix(_suffix(source.name))
    if source.name != f"{stem}.nii.gz" and source.with_name(f"{stem}.nii.gz").exists():
        return source.name
    return stem
