"""Datalists of MALC 2012, or of any folder with the same layout (images/, labels/, subjects.csv, classes.csv)."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from monai_advdefense.messages import broken_rule

__all__ = ["malc2012_classes", "malc2012_datalist", "malc2012_source_labels"]

SPLITS = ("train", "validation", "calibration", "test")


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file that must have the given columns."""
    if not path.is_file():
        raise broken_rule(
            path,
            "this file in the data set folder",
            "none",
            "give the folder that holds images/, labels/, subjects.csv and classes.csv",
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise broken_rule(path, "a CSV file in UTF-8", "other bytes", "save it as UTF-8") from error
    if not rows or not set(columns) <= set(rows[0]):
        raise broken_rule(
            path,
            f"a header with {', '.join(columns)} and at least one row",
            ", ".join(rows[0]) if rows else "no row",
            "see the data set's README",
        )
    for number, row in enumerate(rows, start=1):
        if any(row[column] is None for column in columns):
            raise broken_rule(
                path, f"a value for each of {', '.join(columns)}", f"fewer in row {number}", "complete it"
            )
    return rows


def malc2012_datalist(
    dataset_dir: str | Path, split: str, keys: Sequence[str] = ("image", "label")
) -> list[dict[str, str]]:
    """Cases of one split: the files, ``subject`` and ``domain`` of each scan.

    Args:
        dataset_dir: folder with images/, labels/ and subjects.csv.
        split: ``train``, ``validation``, ``calibration`` or ``test``.
        keys: which files to name; ``("image",)`` where there are no labels.

    Raises:
        InputError: if the folder, a file or the split is missing, or subjects.csv has an unknown split, a scan twice or
            scans of one subject in several splits.
    """
    folder = Path(dataset_dir)
    if split not in SPLITS:
        raise broken_rule("split", f"one of {', '.join(SPLITS)}", f"{split!r}", "choose one of them")
    cases = []
    for row in _subject_rows(folder):
        if row["split"] != split:
            continue
        case = {"subject": row["subject"], "domain": folder.absolute().name}
        for key in keys:
            path = folder / f"{key}s" / f"{row['scan']}.nii.gz"
            if not path.is_file():
                raise broken_rule(path, "a scan, as subjects.csv names it", "no file", "complete the data set")
            case[key] = str(path)
        cases.append(case)
    if not cases:
        raise broken_rule(folder / "subjects.csv", f"scans of split {split!r}", "none", "check the file")
    return cases


def _subject_rows(folder: Path) -> list[dict[str, str]]:
    path = folder / "subjects.csv"
    rows = _rows(path, ("scan", "subject", "split"))
    subjects: dict[str, str] = {}
    scans = Counter(row["scan"] for row in rows)
    for row in rows:
        scan, subject, split = row["scan"], row["subject"], row["split"]
        if split not in SPLITS:
            raise broken_rule(path, f"splits {', '.join(SPLITS)}", f"{split!r} for scan {scan}", "mend it")
        if scans[scan] > 1:
            raise broken_rule(path, "each scan once", f"{scan} {scans[scan]} times", "remove a row")
        # Rates and intervals of unseen subjects would be too good.
        if subjects.setdefault(subject, split) != split:
            raise broken_rule(
                path,
                "all scans of a subject in one split",
                f"{subject} in {subjects[subject]} and {split}",
                "put its scans together",
            )
    return rows


def malc2012_classes(dataset_dir: str | Path) -> list[str]:
    """Names of the classes, background first.

    Raises:
        InputError: if classes.csv is missing or its classes are not numbered 0, 1, 2, ...
    """
    return [row["name"] for row in _class_rows(Path(dataset_dir))]


def malc2012_source_labels(dataset_dir: str | Path, num_classes: int | None = None) -> list[list[int]]:
    """Source labels that each class merges, for class 0 (the background), 1, 2, ...

    To the background belong what classes.csv names for class 0 and, where the folder has a labels.csv (column Label
    Number), all labels listed there that no class names.

    Args:
        dataset_dir: folder with classes.csv.
        num_classes: number of classes that there must be, background included.

    Raises:
        InputError: if classes.csv is missing or malformed or has another number of classes, or labels.csv is malformed.
    """
    folder = Path(dataset_dir)
    path = folder / "classes.csv"
    rows = _class_rows(folder)
    if num_classes is not None and len(rows) != num_classes:
        raise broken_rule(path, f"{num_classes} classes, as num_classes says", len(rows), "make the two agree")
    groups = [_labels(path, row["source_labels"].split()) for row in rows]
    count = Counter(label for group in groups for label in group)
    twice = [str(label) for label in sorted(count) if count[label] > 1]
    if twice or 0 in count and 0 not in groups[0]:
        raise broken_rule(
            path,
            "each source label in one class and 0 in the background",
            f"{', '.join(twice or ['0'])} elsewhere",
            "mend source_labels",
        )
    listed = folder / "labels.csv"
    if listed.is_file():
        numbers = _labels(listed, [row["Label Number"].strip() for row in _rows(listed, ("Label Number",))])
        groups[0] += sorted(set(numbers) - set(count))
    return groups


def _labels(path: Path, texts: list[str]) -> list[int]:
    """Source labels, which label maps hold in 16 bits."""
    wrong = [text for text in texts if not (text.isdecimal() and int(text) <= 65535)]
    if wrong:
        raise broken_rule(path, "source labels from 0 to 65535, separated by spaces", ", ".join(wrong), "mend them")
    return [int(text) for text in texts]


def _class_rows(folder: Path) -> list[dict[str, str]]:
    path = folder / "classes.csv"
    rows = _rows(path, ("class", "name", "source_labels"))
    numbers = [row["class"] for row in rows]
    if numbers != [str(number) for number in range(len(rows))]:
        raise broken_rule(path, "classes numbered 0, 1, 2, ...", ", ".join(numbers), "renumber them")
    return rows
