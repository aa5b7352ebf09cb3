"""Print what differs between a GPU and the CPU, and time and memory of a volume; exit with 1 if anything does.

Without a GPU it compares the CPU with itself, which shows that the script runs and no more, and says so.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from itertools import chain
from pathlib import Path

import torch

from benchmarks.device_check.bundle_runs import RUNS, write_brains
from benchmarks.device_check.components import compared, random_guard
from benchmarks.device_check.difference import difference
from monai_advdefense.guard import CombinedDecision

TOLERANCE = 1e-4


def _bundles(device: torch.device, folder: Path) -> Iterator[tuple[str, float, float]]:
    """Name, difference and tolerance of each run of a bundle; what runs print goes to a file."""
    brains = write_brains(folder / "brains")
    for number, run in enumerate(RUNS):
        with (folder / "log.txt").open("a") as log, redirect_stdout(log), redirect_stderr(log):
            places = {kind: folder / f"{number}_{kind}" for kind in ("here", "there")}
            here, there = run.on(torch.device("cpu"), brains, places["here"]), run.on(device, brains, places["there"])
        yield run.name, difference(here, there), run.tolerance


def _measure(device: torch.device) -> None:
    """Time and memory of a volume of 256 slices of 256 x 256, with autocast and without."""
    guard, image = random_guard(CombinedDecision()).to(device), torch.rand(256, 1, 256, 256, device=device)
    for name, enabled in {"float32": False, "autocast": True}.items():
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.no_grad(), torch.autocast(device.type, enabled=enabled):
            for batch in image.split(16):
                guard.labels(batch)
        torch.cuda.synchronize()
        seconds, peak = time.perf_counter() - start, torch.cuda.max_memory_allocated() / 2**30
        print(f"| volume of 256^3, {name} | {seconds:.2f} s, {peak:.2f} GiB |")


def main() -> None:
    """Print the table; exit with 1 if a device differs."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        print("no GPU here: the CPU is compared with itself, which only shows that the checks run")
    # Reduced precision of matrix products would be seen as a difference.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(f"| {device} against the CPU | largest difference |\n| --- | --- |")
    differ = []
    with tempfile.TemporaryDirectory() as folder:
        found = ((name, value, TOLERANCE) for name, value in compared(device))
        for name, value, tolerance in chain(found, _bundles(device, Path(folder))):
            print(f"| {name} | {value:.1e} |", flush=True)
            differ += [] if value <= tolerance else [name]
    if device.type == "cuda":
        _measure(device)
    if differ:
        raise SystemExit(f"differ by more than allowed: {', '.join(differ)}")


if __name__ == "__main__":
    main()
