"""Find one of this project's bundles by its name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import platformdirs

from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.messages import broken_rule, one_line

__all__ = ["BUNDLE_DIR_VARIABLE", "bundle_dirs", "find_bundle", "no_bundle"]

BUNDLE_DIR_VARIABLE = "ADVDEFENSE_BUNDLE_DIR"


def bundle_dirs(bundle_dir: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """Folders in which bundles are looked for, first to last.

    The argument, or else the folder that the environment variable ``ADVDEFENSE_BUNDLE_DIR`` names, ``bundles`` beside
    the package in a checkout of the repository, and ``bundles`` in the user's data folder for this package.

    Args:
        bundle_dir: the only folder to look in; None takes the others.
    """
    if bundle_dir is not None:
        yield Path(bundle_dir)
        return
    if os.environ.get(BUNDLE_DIR_VARIABLE):
        yield Path(os.environ[BUNDLE_DIR_VARIABLE])
    checkout = Path(__file__).resolve().parents[2] / "bundles"
    # An installed package has none beside it, and nobody should unpack bundles there.
    if checkout.is_dir():
        yield checkout
    yield platformdirs.user_data_path("monai_advdefense", appauthor=False) / "bundles"


def find_bundle(name: str | os.PathLike[str], bundle_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder of a bundle.

    Args:
        name: name of a bundle, or the path of its folder.
        bundle_dir: folder that holds it, see :func:`bundle_dirs`.

    Raises:
        InputError: if there is none; the message says where it was looked for and how to get it.
    """
    given = [Path(name)] if os.sep in str(name) or Path(name).is_dir() else []
    places = [] if os.path.isabs(name) else list(bundle_dirs(bundle_dir))
    for folder in (*given, *(place / name for place in places)):
        if (folder / "configs" / "metadata.json").is_file() or any((folder / "configs").glob("inference.*")):
            return folder.absolute()
    # An archive is unpacked into the folder of bundles, not into one of its own name there.
    raise no_bundle(name, [*given, *places])


def no_bundle(name: str | os.PathLike[str], folders: Iterable[Path]) -> AdvDefenseError:
    """The error that there is no bundle at any of some folders, to be raised."""
    return broken_rule(
        name,
        "a bundle, a folder with configs/inference.json or configs/metadata.json",
        f"none at {', '.join(map(one_line, folders))}",
        f"unpack its archive NAME_vVERSION.zip into one of these folders, or set --bundle-dir or {BUNDLE_DIR_VARIABLE}",
    )
