"""Peak memory of a whole run of the composite bundle, for one volume and for several."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row
from monai_advdefense.errors import InputError

__all__ = ["EXPLANATION", "measure", "peak"]

EXPLANATION = (
    "`python -m monai.bundle run` of the composite bundle in a fresh process, on one sample brain and on {volumes} "
    "copies of it: highest resident memory (VmHWM) of the process. The ratio is that of the larger to the smaller."
)
_BAR = 1.10
_POLL_SECONDS = 0.02


def measure(bundle_root: Path, sample: Path, *, volumes: int) -> list[Row]:
    """Rows for one and for ``volumes`` copies of the volume ``sample``."""
    one, many = (peak(bundle_root, sample, count) for count in (1, volumes))
    return [
        Row("one volume", one, unit=" GiB"),
        Row(f"{volumes} volumes in one run", many, unit=" GiB"),
        Row("ratio", max(one, many) / min(one, many), _BAR),
    ]


def peak(bundle_root: Path, sample: Path, count: int) -> float:
    """Highest resident memory in GiB of one run over ``count`` copies of a volume, by the checkout of the bundle."""
    with tempfile.TemporaryDirectory() as folder:
        dataset, output, log = Path(folder, "data"), Path(folder, "output"), Path(folder, "log")
        dataset.mkdir()
        for number in range(count):
            shutil.copyfile(sample, dataset / f"copy_{number}.nii.gz")
        options = {
            "bundle_root": bundle_root,
            "config_file": bundle_root / "configs" / "inference.json",
            "dataset_dir": dataset,
            "output_dir": output,
        }
        command = [sys.executable, "-m", "monai.bundle", "run"]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        command += ["--device", "$torch.device('cpu')"]
        # What lies in the current folder comes first, before the path.
        checkout = bundle_root.resolve().parents[1]
        own = {**os.environ, "PYTHONPATH": str(checkout)}
        with (
            log.open("wb") as stream,
            subprocess.Popen(command, stdout=stream, stderr=stream, env=own, cwd=checkout) as process,
        ):
            highest = 0
            while process.poll() is None:
                # The mark only rises, and that of a process that ended cannot be read any more.
                highest = max(highest, _high_water_mark(process.pid))
                time.sleep(_POLL_SECONDS)
        written = len(list(output.glob("*_seg.nii.gz")))
        if process.returncode or written != count:
            lines = log.read_text(errors="replace").strip().splitlines() or [""]
            raise InputError(
                f"{bundle_root}: expected a run over {count} volumes, found exit code {process.returncode} and "
                f"{written} segmentations ({lines[-1]}): run inference.json by hand"
            )
    return highest / 2**20


def _high_water_mark(process: int) -> int:
    """VmHWM in KiB; 0 once the process has given back its memory."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) if found else 0
