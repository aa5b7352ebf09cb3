"""Volumes per minute of ``advdefense screen`` by one process and by two shards at once.

Alone: python -m benchmarks.throughput --volumes 12
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.table import Row
from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.errors import InputError, exit_on_error

__all__ = ["EXPLANATION", "measure"]

EXPLANATION = (
    "`advdefense screen` over {volumes} copies of one sample brain in one process, and over as many for each of two "
    "shards at once, one thread each: volumes done from when each process has done its first until one of them ends."
)
# 1.9 times as many volumes.
_BAR = 1 / 1.9
_SEED = 900


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the rows."""
    checkout = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=main.__doc__)
    parser.add_argument("--bundle_root", type=Path, default=checkout / "bundles" / "brain_mri_defended_segmentation")
    parser.add_argument("--volumes", type=int, default=12, help="volumes for each process")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        [sample] = write_template_samples(folder, 1, first_seed=_SEED)
        print(*measure(options.bundle_root, sample, volumes=options.volumes), sep="\n")


def measure(bundle_root: Path, sample: Path, *, volumes: int) -> list[Row]:
    """Rows for one process and for two, each with so many copies of the volume ``sample``."""
    one, two = (_per_minute(bundle_root, sample, volumes, processes) for processes in (1, 2))
    return [
        Row("volumes per minute, one process", one),
        Row("volumes per minute, two processes", two),
        Row("time for a volume: ratio to one process", one / two, _BAR),
    ]


def _per_minute(bundle_root: Path, sample: Path, volumes: int, processes: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        dataset, output = Path(folder, "data"), Path(folder, "output")
        dataset.mkdir()
        for number in range(volumes * processes):
            shutil.copyfile(sample, dataset / f"copy_{number:03}.nii.gz")
        command = [sys.executable, "-m", "monai_advdefense", "screen", str(dataset), "-o", str(output)]
        command += ["--bundle", str(bundle_root), "--device", "cpu"]
        running = [
            subprocess.Popen(
                [*command, "--shard", f"{shard + 1}/{processes}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            for shard in range(processes)
        ]
        if any([process.wait() for process in running]):
            raise InputError(f"{bundle_root}: expected it to be run, found an error: run advdefense screen by hand")
        return _rate([_times(path) for path in output.glob("manifest*.jsonl")])


def _times(manifest: Path) -> list[float]:
    """When volumes were done, in seconds."""
    lines = map(json.loads, manifest.read_text(encoding="utf-8").splitlines())
    return [datetime.fromisoformat(line["created"]).timestamp() for line in lines if "input" in line]


def _rate(times: Sequence[Sequence[float]]) -> float:
    """Volumes per minute while all processes work.

    Example:
        >>> _rate([[0.0, 10.0, 20.0, 30.0], [5.0, 15.0, 25.0, 35.0]])
        12.0
    """
    start, end = max(each[0] for each in times), min(each[-1] for each in times)
    return 60 * sum(_done(each, end) - _done(each, start) for each in times) / (end - start)


def _done(times: Sequence[float], moment: float) -> float:
    """Volumes done by a moment, the share of the one in between included."""
    before = sum(time <= moment for time in times)
    if before == len(times):
        return float(before)
    return before + (moment - times[before - 1]) / (times[before] - times[before - 1])


if __name__ == "__main__":
    main()
