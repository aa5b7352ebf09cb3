"""Rules that the slices of a series must meet to be one volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monai_advdefense.messages import broken_rule, one_line, reason

__all__ = ["check_image", "check_same_grid", "check_slice_positions", "decode"]

_DIRECTION_TOLERANCE = 1e-4
_SAME_POSITION_MM = 1e-3
_SPACING_TOLERANCE = 0.01
_SHIFT_MM = 0.05
_GEOMETRY = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3, "PixelSpacing": 2}


def check_image(dataset: Any) -> None:
    """Check that a data set is a grey image whose voxels an installed decoder reads.

    Args:
        dataset: pydicom's data set, with its file name.

    Raises:
        InputError: if it is none.
    """
    path, kind = dataset.filename, dataset.get("SOPClassUID")
    name = getattr(kind, "name", kind)
    if "Rows" not in dataset or "PixelData" not in dataset or "Segmentation" in str(name):
        found = name if "PixelData" in dataset else f"{name} without pixels"
        raise broken_rule(path, "an image", found, "leave it out, or export the series again")
    shown = dataset.get("PhotometricInterpretation")
    if shown != "MONOCHROME2" or dataset.get("PresentationLUTShape", "IDENTITY") != "IDENTITY":
        found = f"{shown}, {dataset.get('PresentationLUTShape', 'no lookup table')}"
        remedy = "black and white would be exchanged or made of colours: export it as MONOCHROME2"
        raise broken_rule(path, "an image in MONOCHROME2", found, remedy)


def decode(dataset: Any) -> None:
    """Decode the voxels of a data set, which keeps them.

    Raises:
        InputError: if no installed decoder reads them, or they are damaged.
    """
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    try:
        decodable = get_decoder(syntax).is_available
    except (NotImplementedError, AttributeError, TypeError):
        decodable = False
    if not decodable:
        remedy = "decompress it (dcmdjpeg, gdcmconv --raw), or pip install 'pylibjpeg[all]'"
        found = f"the transfer syntax {getattr(syntax, 'name', syntax)}"
        raise broken_rule(dataset.filename, "voxels that an installed decoder reads", found, remedy)
    try:
        dataset.pixel_array  # noqa: B018
    # Whatever a damaged file makes the decoder raise.
    except Exception as error:
        rule = "voxels as the header says"
        raise broken_rule(dataset.filename, rule, reason(error), "copy or export it again") from error


def check_same_grid(name: str, datasets: Sequence[Any]) -> None:
    """Check that slices have a place in the patient, and are of one series, orientation and size.

    Args:
        name: what to call the series.
        datasets: pydicom's data sets of images with one frame.

    Raises:
        InputError: if they are not.
    """
    for each in datasets:
        _check_place(each)
    first = datasets[0]
    for tag in ("SeriesInstanceUID", "FrameOfReferenceUID", "Rows", "Columns", "PixelSpacing"):
        other = next((each for each in datasets if each.get(tag) != first.get(tag)), None)
        if other is not None:
            found = f"{other.get(tag)} in {other.filename} beside {first.get(tag)}"
            raise broken_rule(name, f"slices with one {tag}", found, "give each volume as a series of its own")
    directions = np.array([each.ImageOrientationPatient for each in datasets], dtype=float)
    apart = np.abs(directions - directions[0]).max(1)
    if not apart.max() <= _DIRECTION_TOLERANCE:
        found = f"another one in {datasets[int(apart.argmax())].filename}"
        raise broken_rule(name, "slices of one orientation", found, "is it a localizer? leave the series out")


def _check_place(dataset: Any) -> None:
    missing = [tag for tag in ("FrameOfReferenceUID", *_GEOMETRY) if dataset.get(tag) in (None, "")]
    if missing:
        raise broken_rule(dataset.filename, f"a place in the patient ({missing[0]})", "none", "export it again")
    for tag, count in _GEOMETRY.items():
        try:
            found = np.array(dataset.get(tag), dtype=float).ravel()
        except (TypeError, ValueError):
            found = np.array([np.nan])
        if len(found) != count or not np.isfinite(found).all():
            raise broken_rule(dataset.filename, f"{count} numbers as {tag}", dataset.get(tag), "export it again")


def check_slice_positions(name: str, datasets: Sequence[Any]) -> None:
    """Check that slices stand behind each other at equal distances, each position once, in whatever order they come.

    Args:
        name: what to call the series.
        datasets: pydicom's data sets of one grid, see :func:`check_same_grid`.

    Raises:
        InputError: if one is missing, two stand at one position, or they are shifted against each other.
    """
    if len(datasets) < 2:
        raise broken_rule(name, "a volume of two slices or more", len(datasets), "give the whole series")
    direction = np.array(datasets[0].ImageOrientationPatient, dtype=float)
    positions = np.array([each.ImagePositionPatient for each in datasets], dtype=float)
    normal = np.cross(direction[:3], direction[3:])
    order = np.argsort(positions @ normal, kind="stable")
    files = [one_line(datasets[index].filename) for index in order]
    positions = positions[order]
    steps = np.diff(positions @ normal)
    closest, widest = int(steps.argmin()), int(steps.argmax())
    if not steps[closest] > _SAME_POSITION_MM:
        found = f"{files[closest]} and {files[closest + 1]} at the same"
        remedy = "remove copies, or export times or echoes as series of their own"
        raise broken_rule(name, "one slice at each position", found, remedy)
    usual = float(np.median(steps))
    odd = widest if steps[widest] - usual >= usual - steps[closest] else closest
    if abs(steps[odd] - usual) > _SPACING_TOLERANCE * usual:
        found = f"{steps[odd]:.4g} mm between {files[odd]} and {files[odd + 1]}"
        raise broken_rule(name, f"slices every {usual:.4g} mm", found, "are slices missing? export all of them")
    shift = positions - positions[0] - np.outer((positions - positions[0]) @ normal, normal)
    if np.abs(shift).max() > _SHIFT_MM:
        found = f"a shift of {np.abs(shift).max():.3g} mm"
        remedy = "was the gantry tilted? resample to a grid at right angles"
        raise broken_rule(name, "slices right behind each other", found, remedy)
