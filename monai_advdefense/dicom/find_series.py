"""The DICOM series of a folder."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monai_advdefense.dicom.libraries import check_libraries
from monai_advdefense.input_paths import Inputs, input_folder, input_paths
from monai_advdefense.messages import broken_rule
from monai_advdefense.nifti_names import NIFTI_SUFFIXES
from monai_advdefense.visible_files import visible_files

__all__ = ["SeriesFiles", "find_series", "holds_dicom"]

_SUFFIXES = (".dcm", ".dicom", ".ima")
_MAGIC = slice(128, 132)


@dataclass(frozen=True)
class SeriesFiles:
    """The files of one series.

    Attributes:
        name: where results about it belong, as a path below the folder of the results.
        files: its files in no certain order, and files of the same folders that cannot be read.
    """

    name: str
    files: tuple[Path, ...]


def holds_dicom(data: Inputs, *, exclude: str | os.PathLike[str] | None = None) -> bool:
    """Whether a path is a DICOM file, or a folder with one in it or in its subfolders; needs no library.

    Args:
        data: file or folder, or several; hidden files and folders are left out, links to folders are not followed.
        exclude: folder inside to leave out, usually that of the results.
    """
    return any(next(_dicom_files(path, exclude), None) is not None for path in input_paths(data))


def find_series(data: Inputs, *, exclude: str | os.PathLike[str] | None = None) -> list[SeriesFiles]:
    """List the series of a folder and its subfolders, sorted by name.

    Files belong to one series by their Series Instance UID, wherever they lie. A series is called by the folder of its
    files; where a folder holds several, the series number follows. Directories of media (DICOMDIR) are left out.

    Args:
        data: file or folder, or several; hidden files and folders are left out, links to folders are not followed.
        exclude: folder inside to leave out, usually that of the results.

    Raises:
        InputError: if there is no DICOM file, or the extra ``dicom`` is not installed.
    """
    check_libraries()
    paths = input_paths(data)
    root = input_folder(paths)
    series: dict[str, list[Path]] = defaultdict(list)
    numbers: dict[str, str] = {}
    unreadable = []
    for file in sorted({file for path in paths for file in _dicom_files(path, exclude)}):
        uid, number = _identity(file)
        if uid:
            series[uid].append(file)
            numbers.setdefault(uid, number)
        elif uid is None:
            unreadable.append(file)
    for file in unreadable:
        # It may be a slice of any of them.
        near = [uid for uid, files in series.items() if file.parent in {each.parent for each in files}]
        for uid in near or [str(file)]:
            series[uid].append(file)
    if not series:
        raise broken_rule(root, "DICOM files", "none", "check the path")
    names = _names(root, series, numbers)
    return sorted(
        (SeriesFiles(names[uid], tuple(sorted(files))) for uid, files in series.items()), key=lambda s: s.name
    )


def _dicom_files(root: Path, exclude: str | os.PathLike[str] | None) -> Iterator[Path]:
    if root.is_file():
        yield from [root] if _is_dicom(root) else []
        return
    if root.is_dir():
        yield from filter(_is_dicom, visible_files(root, exclude=exclude))


def _is_dicom(path: Path) -> bool:
    """Whether a file says so by its ending or its first bytes."""
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        if path.name.lower().endswith(NIFTI_SUFFIXES) or not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(_MAGIC.stop)[_MAGIC] == b"DICM"
    except OSError:
        return False


def _identity(path: Path) -> tuple[str | None, str]:
    """Series UID and number; the UID is None if the file cannot be read, and empty for a directory of media."""
    from pydicom import dcmread
    from pydicom.uid import MediaStorageDirectoryStorage

    try:
        header = dcmread(path, specific_tags=["SeriesInstanceUID", "SeriesNumber"], stop_before_pixels=True)
        if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
            return "", ""
        return str(header.get("SeriesInstanceUID") or "") or None, str(header.get("SeriesNumber") or "")
    # A damaged file can raise anything; whoever reads the series says what it was.
    except Exception:
        return None, ""


def _names(root: Path, series: dict[str, list[Path]], numbers: dict[str, str]) -> dict[str, str]:
    """A name of its own for each series."""
    folders = {uid: _folder(root, files) for uid, files in series.items()}
    shared = Counter(folders.values())
    names = {
        uid: folder if shared[folder] == 1 else f"{folder}_{numbers.get(uid) or uid.split('.')[-1]}"
        for uid, folder in folders.items()
    }
    same = Counter(names.values())
    return {uid: name if same[name] == 1 else f"{name}_{uid.split('.')[-1]}" for uid, name in names.items()}


def _folder(root: Path, files: list[Path]) -> str:
    if root.is_file():
        return root.stem if root.suffix.lower() in _SUFFIXES else root.name
    folder = Path(os.path.commonpath([file.parent for file in files])).relative_to(root).as_posix()
    return root.name if folder == "." else folder
