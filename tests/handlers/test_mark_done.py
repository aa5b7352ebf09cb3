from __future__ import annotations

import json
import multiprocessing
import random
import time
from collections import Counter

import pytest
import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, LoadImaged, ScaleIntensityd

from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.handlers.end_run import EndRun
from monai_advdefense.handlers.mark_done import MarkDone
from monai_advdefense.handlers.volume_writer import VolumeWriter
from monai_advdefense.runs.manifest import Manifest, read_manifests
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog

VOLUMES = 12


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_phantom_dataset(tmp_path_factory.mktemp("data"), VOLUMES, shape=(16, 12, 16)) / "images"


class _Slow(torch.nn.Module):
    """A network that takes its time, so that a kill hits every step of a run."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds = seconds

    def forward(self, image):
        time.sleep(self.seconds)
        return (image > image.mean()).float()


def _run(inputs, output, seconds=0.0, shard="1/1", read=None):
    outputs, log = Outputs(inputs, output), RunLog()
    manifest = Manifest(outputs, shard=shard)
    load = LoadImaged("image", ensure_channel_first=True)

    def transform(item):
        if read is not None:
            read.append(item["image"])
        return Compose([load, ScaleIntensityd("image")])(item)

    dataset = VolumeDataset(inputs, transform, slice_size=(16, 16), slice_dim=1, run_log=log, manifest=manifest)
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=_Slow(seconds),
        val_handlers=[VolumeWriter(outputs, log), MarkDone(manifest, log), EndRun(log, manifest=manifest)],
    ).run()
    return log


def _results(folder):
    """Content of the results; a killed writer leaves hidden files."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name.endswith("seg.nii.gz")}


def _lines(folder):
    return Counter(line["input"] for _, line in read_manifests(folder) if "input" in line)


def test_a_run_that_is_killed_again_and_again_ends_as_an_unbroken_one(inputs, tmp_path):
    _run(inputs, tmp_path / "unbroken")
    context, chance, wait = multiprocessing.get_context("fork"), random.Random(0), 0.1
    while len(done := _lines(tmp_path / "killed")) < VOLUMES // 2:
        process = context.Process(target=_run, args=(inputs, tmp_path / "killed", 0.02), daemon=True)
        process.start()
        time.sleep(wait * chance.uniform(0.5, 1.5))
        process.kill()
        process.join(10)
        # A slow machine writes nothing in so short a time, and would never end.
        wait *= 1.5 if len(_lines(tmp_path / "killed")) == len(done) else 1
        assert wait < 100
    before = _lines(tmp_path / "killed")
    assert len(before) < VOLUMES
    read = []
    log = _run(inputs, tmp_path / "killed", read=read)

    assert len(log.attempted) == VOLUMES
    assert len(read) == VOLUMES - len(before)
    assert len(log.already_there) == len(before)
    names = [path.name for path in sorted(inputs.iterdir())]
    assert _lines(tmp_path / "killed") == Counter(names) == _lines(tmp_path / "unbroken")
    assert _results(tmp_path / "killed") == _results(tmp_path / "unbroken")


def test_a_second_run_reads_nothing_and_says_so(inputs, tmp_path, capsys):
    _run(inputs, tmp_path / "out")
    read = []
    log = _run(inputs, tmp_path / "out", read=read)
    assert read == []
    assert log.already_there == log.attempted == [str(path) for path in sorted(inputs.iterdir())]
    assert capsys.readouterr().out.splitlines() == [
        "12 of 12 volumes written, 0 failed",
        "12 of 12 volumes written (12 of them by an earlier run), 0 failed",
    ]


def test_shards_do_together_what_one_run_does(inputs, tmp_path):
    for index in (2, 1, 3):
        assert len(_run(inputs, tmp_path / "out", shard=f"{index}/3").attempted) == VOLUMES // 3
    assert set(_lines(tmp_path / "out").values()) == {1}
    assert len(_run(inputs, tmp_path / "out").already_there) == VOLUMES


def test_a_volume_that_failed_is_not_marked(inputs, tmp_path):
    outputs, log = Outputs(inputs, tmp_path), RunLog()
    manifest = Manifest(outputs)
    marker = MarkDone(manifest, log)
    image = type("Image", (), {"meta": {"filename_or_obj": str(inputs / "1000.nii.gz")}})
    engine = type("Engine", (), {"state": type("State", (), {"output": [{"image": image}]})})
    log.fail(str(inputs / "1000.nii.gz"), "why")
    marker(engine)
    assert not manifest.path.exists()


def test_a_line_that_cannot_be_written_costs_the_volume_not_the_run(inputs, tmp_path, capsys):
    manifest_path = tmp_path / "out" / "manifest.jsonl"
    manifest_path.mkdir(parents=True)
    outputs, log = Outputs(inputs, tmp_path / "out"), RunLog()
    source = str(inputs / "1000.nii.gz")
    image = type("Image", (), {"meta": {"filename_or_obj": source}})
    engine = type("Engine", (), {"state": type("State", (), {"output": [{"image": image}]})})
    MarkDone(Manifest(outputs), log)(engine)
    assert "not in the manifest" in log.reasons(source)[0]
    json.dumps(log.failures)
