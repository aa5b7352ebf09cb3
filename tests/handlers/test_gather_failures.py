from __future__ import annotations

import datetime
import multiprocessing

import pytest
import torch.distributed as dist
from ignite.engine import Engine

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.handlers.gather_failures import GatherFailures

PROCESSES = 3
SHARES = [
    (["a.nii", "d.nii"], [("d.nii", "d.nii: why"), ("d.nii", "d.nii: why not")]),
    (["b.nii"], [("b.nii", "b.nii: no image")]),
    ([], []),
]


def _run(rank, address, results):
    options = {"world_size": PROCESSES, "rank": rank, "timeout": datetime.timedelta(seconds=30)}
    dist.init_process_group("gloo", init_method=address, **options)
    dataset = VolumeDataset([], dict, rank=rank, world_size=PROCESSES)
    dataset.attempted, dataset.failures = SHARES[rank]
    _complete(dataset)
    results.put((dataset.attempted, dataset.failures))
    dist.destroy_process_group()


def _complete(dataset):
    engine = Engine(lambda engine, batch: None)
    GatherFailures(dataset).attach(engine)
    engine.run([0])


def test_each_process_knows_the_volumes_of_all_though_one_had_none(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    arguments = [(rank, f"file://{tmp_path}/group", results) for rank in range(PROCESSES)]
    processes = [context.Process(target=_run, args=each, daemon=True) for each in arguments]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    failures = [("b.nii", "b.nii: no image"), ("d.nii", "d.nii: why"), ("d.nii", "d.nii: why not")]
    assert found == [(["a.nii", "b.nii", "d.nii"], failures)] * PROCESSES


def test_one_process_needs_no_group():
    dataset = VolumeDataset([], dict)
    dataset.attempted.append("b.nii")
    dataset.fail("a.nii", "why")
    _complete(dataset)
    assert (dataset.attempted, dataset.failures) == (["b.nii"], [("a.nii", "why")])


def test_several_processes_without_a_group_do_not_go_on_alone():
    with pytest.raises(ValueError, match="process group"):
        _complete(VolumeDataset([], dict, rank=1, world_size=2))
