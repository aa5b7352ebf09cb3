"""Show that a study in a real archive is screened and answered, also when all that can break breaks.

python -m examples.orthanc.check --orthanc FOLDER_OF_UNPACK_SH
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dicomweb_client import DICOMwebClient

from examples.orthanc.series import series_datasets
from examples.orthanc.server import orthanc
from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.errors import OutputError, exit_on_error
from monai_advdefense.messages import broken_rule

_SEED = 900
_PORT = 18042


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Put a brain into Orthanc, screen it twice broken off and once to the end, and ask the archive what it holds."""
    parser = argparse.ArgumentParser(prog="python -m examples.orthanc.check", description=main.__doc__)
    parser.add_argument("--orthanc", type=Path, required=True, help="folder of unpack.sh")
    parser.add_argument("--work_dir", type=Path, default=Path("build/orthanc/check"), help="folder of all files")
    options = parser.parse_args(arguments)
    work = options.work_dir.resolve()
    store, output = work / "store", work / "output"
    for folder in (store, output):
        shutil.rmtree(folder, ignore_errors=True)
    log = work / "log.txt"
    log.unlink(missing_ok=True)

    [volume] = write_template_samples(work / "sample", 1, first_seed=_SEED)
    images = series_datasets(volume)
    study = str(images[0].StudyInstanceUID)
    with orthanc(options.orthanc.resolve(), store, _PORT) as url:
        DICOMwebClient(url).store_instances(images, study)
        print(f"{len(images)} images are in the archive {url}", flush=True)
        _screen_and_kill(url, study, output, lambda: len(_received(output)) >= len(images) // 2)
        print(f"killed: {len(_received(output))} of {len(images)} images had been fetched", flush=True)
    first = {path: path.stat().st_mtime_ns for path in _received(output)}
    code = _screen(url, study, output).wait()
    print(f"without the archive: exit code {code}", flush=True)
    with orthanc(options.orthanc.resolve(), store, _PORT) as url:
        _screen_and_kill(url, study, output, lambda: "SEG" in _modalities(url, study))
        print(f"killed: the archive holds {dict(_modalities(url, study))}", flush=True)
        for _ in range(2):
            if _screen(url, study, output).wait():
                raise broken_rule(url, "the study to be screened", "a failure", f"see {log}", error=OutputError)
            print(f"run to the end: the archive holds {dict(_modalities(url, study))}", flush=True)
        found = _modalities(url, study)
    kept = all(path.stat().st_mtime_ns == before for path, before in first.items())
    if found != {"MR": len(images), "SEG": 1, "SR": 1} or not kept or code != 2:
        raise broken_rule(url, "each object once, none fetched again", found, f"see {log}", error=OutputError)
    print("each object is there once, and none was fetched twice")


def _screen(url: str, study: str, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "monai_advdefense", "screen", "--pacs", url, "--study", study]
    with (output.parent / "log.txt").open("a") as log:
        return subprocess.Popen([*command, "-o", str(output)], stdout=log, stderr=log)  # noqa: S603


def _screen_and_kill(url: str, study: str, output: Path, reached: Any) -> None:
    """Screen, and kill the process as soon as a point is reached."""
    process = _screen(url, study, output)
    while process.poll() is None and not reached():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _received(output: Path) -> list[Path]:
    return [path for path in output.glob("received/*/*/*.dcm") if not path.name.startswith(".")]


def _modalities(url: str, study: str) -> Counter[str]:
    """Number of objects of each kind that a query finds in the study."""
    found = DICOMwebClient(url).search_for_instances(study, fields=["Modality"])
    return Counter(each["00080060"]["Value"][0] for each in found)


if __name__ == "__main__":
    main()
