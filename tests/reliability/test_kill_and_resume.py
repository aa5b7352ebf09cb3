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
# With networks this small nearly all of the time goes into files, where a kill can do harm.
SMALL = {"features": [4] * 6, "num_classes": 4}
pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="spawning is slow")


@pytest.fixture
def signals(full):
    """The signals that end the runs of a test."""
    return [signal.SIGKILL] * (30 if full else 2) + [signal.SIGTERM] * (10 if full else 1)


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


def _seconds(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def _slow_training(folder):
    """A training of which each step takes a while, so that a kill meets it anywhere."""
    training = _Training(folder, EPOCHS)
    step = training._step

    def slow(engine, batch):
        time.sleep(0.002)
        return step(engine, batch)

    training.engine._process_function = slow
    return training


def test_training_goes_on_to_the_same_bits(tmp_path, signals, figure):
    random.seed(0)
    unbroken = _Training(tmp_path / "unbroken", EPOCHS).run()
    killed, hidden = 0, 0
    for number, kind in enumerate(signals):
        folder = tmp_path / str(number)
        killed += _killed(lambda folder=folder: _slow_training(folder).run(), random.uniform(0, 0.2), kind)
        resumed = _Training(folder, EPOCHS).run()
        _assert_equal(resumed, unbroken)
        hidden += len(_hidden(folder))
        assert resumed.files() == [f"resume_checkpoint_{EPOCHS}.pt"]
    assert killed >= len(signals) // 2
    cut = f"{killed} killed before their end, {hidden} hidden temporary files left"
    figure(f"training: {len(signals)} of {len(signals)} bit-identical ({cut})")


@pytest.fixture
def inference(copy_bundle, write_weights, workflow, phantoms, tmp_path, full):  # noqa: F811
    """Runs the composite on several volumes."""
    bundle, inputs = copy_bundle("brain_mri_defended_segmentation"), tmp_path / "inputs"
    write_weights(bundle, threshold=1000.0, **SMALL)
    inputs.mkdir()
    images = sorted((phantoms / "images").iterdir())
    for number, path in enumerate(images * 2 if full else images[:2]):
        shutil.copy(path, inputs / f"{number}_{path.name}")

    def run(out):
        names = {"dataset_dir": str(inputs), "output_dir": str(out), "write_report#suspicious": 0, **SMALL}
        workflow(bundle, "inference", "combined", kind="infer", **names).run()

    return run


def _hidden(folder):
    """Files that may remain where a process was killed while it wrote."""
    return {path for path in folder.rglob("*") if path.name.startswith(".")}


def _results(folder):
    """Bytes of labels and tables by name: reports hold times and paths."""
    kept = {path for path in folder.rglob("*") if path.is_file() and path.suffix in (".gz", ".csv")} - _hidden(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def test_a_long_inference_goes_on_to_the_same_bits(inference, tmp_path, signals, full, figure):
    random.seed(1)
    seconds = _seconds(lambda: inference(tmp_path / "unbroken"))
    expected = _results(tmp_path / "unbroken")
    volumes = 8 if full else 2
    assert len(expected) == 2 * volumes + 1
    killed, hidden = 0, 0
    for number, kind in enumerate(signals):
        out = tmp_path / f"out{number}"
        killed += _killed(lambda out=out: inference(out), random.uniform(0.1, 1.0) * seconds, kind)
        inference(out)
        assert _results(out) == expected
        hidden += len(_hidden(out))
    assert killed >= len(signals) // 2
    cut = f"{killed} killed before their end, {hidden} hidden temporary files left"
    figure(f"inference of {volumes} volumes: {len(signals)} of {len(signals)} bit-identical ({cut})")


def test_a_killed_calibration_leaves_the_weights_as_they_were_and_then_gives_the_same(
    copy_bundle,  # noqa: F811
    write_weights,  # noqa: F811
    workflow,  # noqa: F811
    tmp_path,
    signals,
    figure,
):
    random.seed(2)
    bundle = copy_bundle("brain_mri_detector")
    write_weights(bundle, features=SMALL["features"])
    before, models = tmp_path / "before", bundle / "models"
    shutil.copytree(models, before)

    def calibrate():
        # With four slices a rate of 0.3 is the least that can be kept.
        settings = {"false_positive_rate": 0.3, "run_dir": str(tmp_path / "run"), "features": SMALL["features"]}
        workflow(bundle, "train", "calibrate", **settings).run()

    def files(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}

    seconds = _seconds(calibrate)
    states = files(before), files(models)
    assert states[0] != states[1]
    killed = 0
    for kind in signals:
        shutil.rmtree(models)
        shutil.copytree(before, models)
        killed += _killed(calibrate, random.uniform(0.1, 1.0) * seconds, kind)
        assert files(models)["model.pt"] in (states[0]["model.pt"], states[1]["model.pt"])
        calibrate()
        assert files(models) == states[1]
    assert killed >= len(signals) // 2
    figure(f"calibration: {len(signals)} of {len(signals)} bit-identical ({killed} killed before their end)")
