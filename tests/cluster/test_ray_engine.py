"""The same run by workers of Ray, which may die: needs the extra ``cluster``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from monai_advdefense.cluster.ray_engine import _start, run_on_ray
from monai_advdefense.commands.main import main
from monai_advdefense.errors import InputError, OutputError
from tests.cluster.conftest import results

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra cluster is not installed")


@pytest.fixture
def volumes(write_volumes):
    """Volumes, one of which cannot be read."""
    folder = write_volumes(8)
    (folder / "1004.nii.gz").write_text("no volume")
    return folder


def _run(volumes, out, bundle, *options):
    return main(["screen", str(volumes), "-o", str(out), "--bundle", str(bundle), "--device", "cpu", *options])


def _workers():
    """Process ids of the workers that descend from this process."""
    parents, workers = {}, []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = status.read_text().partition("(")[2].rsplit(")", 1)
        except OSError:
            continue
        parents[int(status.parent.name)] = int(rest.split()[1])
        if name.startswith("ray::RayWorker"):
            workers.append(int(status.parent.name))
    return [worker for worker in workers if os.getpid() in _ancestors(worker, parents)]


def _ancestors(process, parents):
    while process in parents:
        process = parents[process]
        yield process


def _when(reached, act):
    """Act in a thread as soon as something is reached; gives what the action gave, when it is over."""
    acted = []

    def wait():
        end = time.monotonic() + 120
        while time.monotonic() < end and not reached():
            time.sleep(0.01)
        acted.append(act())

    thread = threading.Thread(target=wait)
    thread.start()
    return acted, thread


def _seen(out, count):
    return lambda: len(list(out.glob("*_scores.json"))) >= count


def _kill_one():
    victim = min(_workers())
    os.kill(victim, signal.SIGKILL)
    return victim


@needs_ray
def test_workers_write_what_one_process_writes_even_if_one_is_killed(volumes, tmp_path, quick_bundle, capfd):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert _run(volumes, alone, quick_bundle) == 2
    told = capfd.readouterr()
    killed, thread = _when(_seen(shared, 2), _kill_one)
    assert _run(volumes, shared, quick_bundle, "--engine", "ray", "--workers", "2") == 2
    thread.join()
    assert killed
    assert results(shared) == results(alone)
    assert len(results(alone)) == 7 * 2 + 1
    found = capfd.readouterr()
    lines = sorted(line for line in told.out.splitlines() if ": " in line and "INFO" not in line)
    assert set(lines) <= set(found.out.splitlines())
    assert told.err.splitlines()[-1] == found.err.splitlines()[-1]
    assert "7 of 8 volumes written, 1 failed" in found.out
    import ray

    assert not ray.is_initialized()


@needs_ray
def test_a_run_that_cannot_begin_ends_with_the_workers_error(volumes, tmp_path, quick_bundle):
    missing = {"dataset_dir": str(volumes), "output_dir": str(tmp_path / "out"), "screen_path": "/none.pt"}
    with pytest.raises(InputError, match=r"/none\.pt: expected .* found no such file") as raised:
        run_on_ray(quick_bundle, ["inference"], missing, workers=2)
    assert "\n" not in str(raised.value)


@needs_ray
def test_workers_that_die_before_their_first_volume_end_the_run(volumes, tmp_path, quick_bundle):
    deadly = {"dataset_dir": str(volumes), "output_dir": str(tmp_path / "out"), "network_def": "$os._exit(1)"}
    expected = r"worker ./2: expected it to reach a volume, found that it dies each time before: see the logs"
    with pytest.raises(OutputError, match=expected) as raised:
        run_on_ray(quick_bundle, ["inference"], deadly, workers=2)
    assert "\n" not in str(raised.value)


@pytest.fixture
def two_machines(monkeypatch):
    """A cluster of this machine, on which the driver runs, and of another one that can be lost."""
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    other = cluster.add_node(num_cpus=1)
    cluster.connect()
    cluster.wait_for_nodes()
    yield other
    ray.shutdown()
    cluster.shutdown()


@needs_ray
def test_on_a_cluster_that_stays_no_worker_outlives_the_error_of_another(volumes, tmp_path, monkeypatch, two_machines):
    import ray

    stuck = tmp_path / "stuck"

    class Worker:
        def __init__(self, queue, shard, *_):
            self.index = shard.index

        def run(self):
            if self.index == 2:
                stuck.write_text(str(os.getpid()))
                time.sleep(600)
            while not stuck.exists():
                time.sleep(0.01)
            raise InputError("one that fails")

    monkeypatch.setattr("monai_advdefense.cluster.ray_worker.RayWorker", Worker)
    with pytest.raises(InputError, match="one that fails"):
        run_on_ray(tmp_path, [], {"dataset_dir": str(volumes), "output_dir": str(tmp_path / "out")}, workers=2)
    assert ray.is_initialized()
    process = Path("/proc", stuck.read_text())
    end = time.monotonic() + 20
    while process.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not process.exists()


@needs_ray
def test_workers_wait_for_a_cluster_that_has_no_cpus_yet():
    import ray

    ray.init(num_cpus=0, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    try:
        _, running = _start(ray, [{"image": "a"}, {"image": "b"}], None, ("bundle", [], {}))
        assert len(running) == 2
        assert ray.wait(list(running), timeout=0.5)[0] == []
    finally:
        ray.shutdown()


@needs_ray
def test_a_machine_may_be_lost(volumes, tmp_path, quick_bundle, two_machines, capfd):
    out = tmp_path / "out"
    lost, thread = _when(_seen(out, 2), lambda: two_machines.kill_raylet() or True)
    assert _run(volumes, out, quick_bundle, "--engine", "ray") == 2
    thread.join()
    assert lost
    assert len(results(out)) == 7 * 2 + 1
    assert "7 of 8 volumes written, 1 failed" in capfd.readouterr().out
    import ray

    # It was there before, and stays.
    assert ray.is_initialized()


def test_without_ray_a_line_says_how_to_get_it(volumes, tmp_path, quick_bundle, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert _run(volumes, tmp_path / "out", quick_bundle, "--engine", "ray") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("expected Ray to be installed, found it missing: pip install 'monai_advdefense[cluster]'")
