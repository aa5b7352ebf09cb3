"""Datalists of MALC 2012, or of any folder with the same layout (images/, labels/, subjects.csv, classes.csv)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from monai_advdefense.errors import InputError, exit_on_error

__all__ = ["malc2012_classes", "malc2012_datalist", "malc2012_source_labels"]

SPLITS = ("train", "validation", "calibration", "test")


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file that must have the given columns."""
    if not path.is_file():
        raise InputError(
            f"{path}: expected this file in the data set folder, found none; give the folder that holds images/, "
            "labels/, subjects.csv and classes.csv"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a CSV file in UTF-8, found other bytes; save it as UTF-8") from error
    if not rows or not set(columns) <= set(rows[0]):
        raise InputError(
            f"{path}: expected a header with {', '.join(columns)} and at least one row, "
            f"found {', '.join(rows[0]) if rows else 'no row'}; see the data set's README"
        )
    for number, row in enumerate(rows, start=1):
        if any(row[column] is None for column in columns):
            raise InputError(
                f"{path}: expected a value for each of {', '.join(columns)}, found fewer in row {number}; complete it"
            )
    return rows


@exit_on_error
def malc2012_datalist(
    dataset_dir: str | Path, split: str, keys: Sequence[str] = ("image", "label")
) -> list[dict[str, str]]:
    """Cases of one split: the files, ``subject`` and ``domain`` of each scan.

    Args:
        dataset_dir: folder with images/, labels/ and subjects.csv.
        split: ``train``, ``validation``, ``calibration`` or ``test``. Scans of one subject are always in one split.
        keys: which files to name; ``("image",)`` where there are no labels.

    Raises:
        SystemExit: with code 2 and one line on stderr, if the folder, a file or the split is missing.
    """
    folder = Path(dataset_dir)
    if split not in SPLITS:
        raise InputError(f"split: expected one of {', '.join(SPLITS)}, found {split!r}; choose one of them")
    cases = []
    for row in _rows(folder / "subjects.csv", ("scan", "subject", "split")):
        if row["split"] != split:
            continue
        case = {"subject": row["subject"], "domain": folder.absolute().name}
        for key in keys:
            path = folder / f"{key}s" / f"{row['scan']}.nii.gz"
            if not path.is_file():
                raise InputError(f"{path}: expected, as subjects.csv names it, found no file; complete the data set")
            case[key] = str(path)
        cases.append(case)
    if not cases:
        raise InputError(f"{folder / 'subjects.csv'}: expected scans of split {split!r}, found none; check the file")
    return cases


def malc2012_classes(dataset_dir: str | Path) -> list[str]:
    """Names of the classes, background first.

    Raises:
        InputError: if classes.csv is missing or its classes are not numbered 0, 1, 2, ...
    """
    return [row["name"] for row in _class_rows(Path(dataset_dir))]


@exit_on_error
def malc2012_source_labels(dataset_dir: str | Path) -> list[list[int]]:
    """Source labels that each class merges, for class 1, 2, ...; what they do not name is background.

    Raises:
        SystemExit: with code 2 and one line on stderr, if classes.csv is missing or malformed.
    """
    labels = [row["source_labels"].split() for row in _class_rows(Path(dataset_dir))[1:]]
    wrong = [label for group in labels for label in group if not label.isdecimal()]
    if wrong:
        raise InputError(
            f"{Path(dataset_dir) / 'classes.csv'}: expected whole numbers in source_labels, found {', '.join(wrong)}; "
            "separate them by spaces"
        )
    return [[int(label) for label in group] for group in labels]


def _class_rows(folder: Path) -> list[dict[str, str]]:
    path = folder / "classes.csv"
    rows = _rows(path, ("class", "name", "source_labels"))
    numbers = [row["class"] for row in rows]
    if numbers != [str(number) for number in range(len(rows))]:
        raise InputError(f"{path}: expected classes numbered 0, 1, 2, ..., found {', '.join(numbers)}; renumber them")
    return rows
