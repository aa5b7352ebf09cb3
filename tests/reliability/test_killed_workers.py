"""Shards that are killed at random do every volume once, and give the table of an unbroken run; memory is flat."""

from __future__ import annotations

import multiprocessing
import random
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from monai_advdefense.commands.merge import merge
from monai_advdefense.commands.screen import screen
from monai_advdefense.runs.manifest import read_manifests
from tests.cluster.conftest import quick_bundle, results, write_volumes  # noqa: F401

WORKERS = 3
pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="spawning is slow")


def _start(volumes, out, bundle, shard):
    """A process that screens a shard."""

    def child():
        torch.set_num_threads(1)
        screen(volumes, out, bundle=bundle, device="cpu", shard=shard)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    return process


def _done(out):
    return len(list(out.glob("*_scores.json")))


def _screen_with_kills(start, out, moments, chance):
    """Run all shards, and kill one as soon as so many volumes are done; gives how many were killed."""
    running = {shard: start(f"{shard}/{WORKERS}") for shard in range(1, WORKERS + 1)}
    killed = 0
    while running:
        if moments and _done(out) >= moments[0]:
            moments.pop(0)
            time.sleep(chance.uniform(0, 0.3))
            running[chance.choice(sorted(running))].kill()
        for shard, process in list(running.items()):
            process.join(0.02)
            assert process.exitcode in (None, 0, -signal.SIGKILL)
            if process.exitcode is not None:
                running.pop(shard)
            if process.exitcode:
                killed += 1
                running[shard] = start(f"{shard}/{WORKERS}")
    return killed


def _resident(process):
    """Resident memory in MiB; 0 once a process has ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8"))
    except OSError:
        return 0
    return int(found[1]) / 1024 if found else 0


def _peaks(process, out):
    """Highest resident memory of a process by the number of volumes that are done, until it ends."""
    peaks = Counter()
    while process.exitcode is None:
        done = _done(out)
        peaks[done] = max(peaks[done], _resident(process))
        process.join(0.02)
    assert process.exitcode == 0
    return peaks


def test_killed_workers_do_every_volume_once(write_volumes, quick_bundle, tmp_path, full, figure):  # noqa: F811
    chance = random.Random(0)
    count, kills = (1000, 10) if full else (6, 3)
    volumes, unbroken, out = write_volumes(count), tmp_path / "unbroken", tmp_path / "out"
    screen(volumes, unbroken, bundle=quick_bundle, device="cpu")
    moments = sorted(chance.sample(range(count - WORKERS), kills))
    killed = _screen_with_kills(lambda shard: _start(volumes, out, quick_bundle, shard), out, moments, chance)
    merge(out)
    # One may have ended in the meantime.
    assert killed >= kills // 2
    done = Counter(line["input"] for _, line in read_manifests(out) if "input" in line)
    assert done == Counter(path.name for path in volumes.iterdir())
    assert results(out) == results(unbroken)
    assert len(results(out)) == 2 * count + 1
    figure(f"{count} volumes by {WORKERS} workers, {killed} killed: each once, files and table bit-identical")


def test_memory_is_flat(write_volumes, quick_bundle, tmp_path, full, figure):  # noqa: F811
    if not full:
        pytest.skip("minutes: make reliability")
    count, out = 1000, tmp_path / "out"
    peaks = _peaks(_start(write_volumes(count), out, quick_bundle, "1/1"), out)
    # By then all has been loaded that is loaded once.
    early, late = (max(peaks[done] for done in part) for part in (range(10, 20), range(count - 10, count)))
    assert late <= 1.05 * early
    figure(f"memory of the volumes {count - 9} to {count}: {late / early:.3f} of that of 11 to 20")
