"""Whatever is killed, whenever, goes on to the same bits; what was cut off has no final name."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time

import pytest
import torch

from tests.bundles.conftest import (  # noqa: F401
    copy_bundle,
    elsewhere,
    phantoms,
    samples,
    workflow,
    write_weights,
)
from tests.handlers.test_resume import _assert_equal, _Training

EPOCHS = 6
pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="spawning is slow")


def _killed(run, after, kind):
    """Whether a process that runs this was killed by a signal after so many seconds, and did not end before."""

    def child():
        os.setpgrp()
        torch.set_num_threads(1)
        run()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(after)
    if process.exitcode is None:
        os.kill(process.pid, kind)
    process.join(60)
    assert process.exitcode in (0, -kind)
    return process.exitcode != 0


def _slow_training(folder):
    """A training of which each step takes a while, so that a kill meets it anywhere."""
    training = _Training(folder, EPOCHS)
    step = training._step

    def slow(engine, batch):
        time.sleep(0.002)
        return step(engine, batch)

    training.engine._process_function = slow
    return training


def test_training_goes_on_to_the_same_bits(tmp_path, full, figure):
    random.seed(0)
    unbroken = _Training(tmp_path / "unbroken", EPOCHS).run()
    kinds = [signal.SIGKILL] * (30 if full else 3) + [signal.SIGTERM] * (10 if full else 1)
    killed, hidden = 0, 0
    for number, kind in enumerate(kinds):
        folder = tmp_path / str(number)
        killed += _killed(lambda folder=folder: _slow_training(folder).run(), random.uniform(0, 0.2), kind)
        resumed = _Training(folder, EPOCHS).run()
        _assert_equal(resumed, unbroken)
        hidden += sum(path.name.startswith(".") for path in folder.rglob("*"))
        assert resumed.files() == [f"resume_checkpoint_{EPOCHS}.pt"]
    assert killed >= len(kinds) // 2
    cut = f"{killed} killed before their end, {hidden} hidden temporary files left"
    figure(f"training: {len(kinds)} of {len(kinds)} bit-identical ({cut})")


@pytest.fixture
def inference(copy_bundle, write_weights, workflow, phantoms, tmp_path):  # noqa: F811
    """Runs the composite on several volumes; gives what it wrote, but for times and paths."""
    bundle, inputs = copy_bundle("brain_mri_defended_segmentation"), tmp_path / "inputs"
    write_weights(bundle, threshold=1000.0)
    inputs.mkdir()
    for number in range(2):
        for path in sorted((phantoms / "images").iterdir()):
            shutil.copy(path, inputs / f"{number}_{path.name}")

    def run(out):
        names = {"dataset_dir": str(inputs), "output_dir": str(out), "write_report#suspicious": 0}
        workflow(bundle, "inference", "combined", kind="infer", **names).run()

    return run


def _files(folder):
    kept = (path for path in folder.rglob("*") if path.is_file() and path.suffix in (".gz", ".csv"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def test_a_long_inference_goes_on_to_the_same_bits(inference, tmp_path, full, figure):
    if not full:
        pytest.skip("minutes: make reliability")
    random.seed(1)
    start = time.monotonic()
    inference(tmp_path / "unbroken")
    seconds = time.monotonic() - start
    expected = _files(tmp_path / "unbroken")
    assert len(expected) == 8 * 2 + 1
    kinds = [signal.SIGKILL] * 2 + [signal.SIGTERM]
    killed = 0
    for number, kind in enumerate(kinds):
        out = tmp_path / f"out{number}"
        killed += _killed(lambda out=out: inference(out), random.uniform(0.3, 0.9) * seconds, kind)
        inference(out)
        assert _files(out) == expected
    assert killed >= len(kinds) // 2
    figure(f"inference of 8 volumes: {len(kinds)} of {len(kinds)} bit-identical ({killed} killed before their end)")


def test_a_killed_calibration_leaves_the_weights_as_they_were_and_then_gives_the_same(
    copy_bundle,  # noqa: F811
    write_weights,  # noqa: F811
    workflow,  # noqa: F811
    tmp_path,
    full,
    figure,
):
    if not full:
        pytest.skip("minutes: make reliability")
    random.seed(2)
    bundle = copy_bundle("brain_mri_detector")
    write_weights(bundle)
    models = {name: tmp_path / name for name in ("before", "after")}
    shutil.copytree(bundle / "models", models["before"])

    def calibrate():
        # With four slices a rate of 0.3 is the least that can be kept.
        workflow(bundle, "train", "calibrate", false_positive_rate=0.3, run_dir=str(tmp_path / "run")).run()

    start = time.monotonic()
    calibrate()
    seconds = time.monotonic() - start
    shutil.copytree(bundle / "models", models["after"])
    states = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in models.values()]
    assert states[0] != states[1]
    kinds = [signal.SIGKILL] * 2 + [signal.SIGTERM]
    for kind in kinds:
        shutil.rmtree(bundle / "models")
        shutil.copytree(models["before"], bundle / "models")
        _killed(calibrate, random.uniform(0.1, 1.0) * seconds, kind)
        now = {path.name: path.read_bytes() for path in (bundle / "models").iterdir() if path.name[0] != "."}
        assert now["model.pt"] in (states[0]["model.pt"], states[1]["model.pt"])
        calibrate()
        left = {path.name: path.read_bytes() for path in (bundle / "models").iterdir() if path.name[0] != "."}
        assert left == states[1]
    figure(f"calibration: {len(kinds)} of {len(kinds)} bit-identical")
