"""Screen a study of an archive, and store the answers in it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from monai_advdefense.dicom.archive import Archive
from monai_advdefense.dicom.run_on_series import Run, tell
from monai_advdefense.dicom.screen_series import answer_series
from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.messages import one_line, reason
from monai_advdefense.runs.outputs import Outputs

__all__ = ["screen_study"]

_RECEIVED = "received"


def screen_study(
    archive: Archive,
    study: str,
    output_dir: str | os.PathLike[str],
    run: Run,
    *,
    metadata: str | os.PathLike[str],
) -> None:
    """Fetch the images of a study, run a bundle on them, and store segmentations and reports in the same study.

    Images lie in ``output_dir/received``, one folder for each series, called by its UID. What a run that broke off has
    fetched is not fetched again, and what it has stored is not stored again.

    Args:
        archive: where the study lies.
        study: its Study Instance UID.
        output_dir: folder of the results.
        run: see :func:`~monai_advdefense.dicom.screen_series.screen_series`.
        metadata: metadata.json of the bundle.

    Raises:
        InputError: if the study cannot be fetched, or a series cannot be used; the others are stored nevertheless.
        OutputError: if an answer cannot be written or stored.
    """
    received = Path(output_dir, _RECEIVED, study)
    fetch_study(archive, study, received)
    answers, errors = answer_series(received, output_dir, run, metadata=metadata)
    for path in answers:
        try:
            stored = archive.store(path)
            print(f"{one_line(path.name)}: {'stored' if stored else 'is there already'}", flush=True)
        except AdvDefenseError as error:
            errors.append(error)
            tell(reason(error))
    if errors:
        raise errors[-1]


def fetch_study(archive: Archive, study: str, folder: Path) -> None:
    """Write the images of a study that are not there yet as ``folder/SERIES/INSTANCE.dcm``.

    Those that an earlier run has fetched and the archive does not have any more are removed.

    Raises:
        InputError: if one cannot be fetched.
        OutputError: if one cannot be written or removed.
    """
    images = [(series, uid) for series, uids in archive.images(study).items() for uid in uids]
    paths = [folder / series / f"{uid}.dcm" for series, uid in images]
    Outputs.remove(*(set(folder.glob("*/*.dcm")) - set(paths)))
    for number, ((series, uid), path) in enumerate(zip(images, paths, strict=True), start=1):
        if not path.is_file():
            archive.fetch(study, series, uid, path)
        logging.getLogger(__name__).info("fetched %d of %d", number, len(images))
