"""Two processes train one network, validated as a whole."""

from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser

from tests.run_python import run_by_two

from .conftest import SMALL_TRAINING

SETTINGS = {"every": 2, "epochs": 2, "batch_size": 2}


def _train_by_two(bundle, folder, **overrides):
    configs = [str(bundle / "configs" / f"{name}.json") for name in ("train", "multi_gpu_train")]
    command = ["-m", "monai.bundle", "run", "--config_file", str(configs)]
    paths = {"bundle_root": bundle, "run_dir": folder, "ckpt_path": folder / "model.pt"}
    known = ConfigParser.load_config_files(configs)
    for key, value in {**paths, **SMALL_TRAINING, **overrides}.items():
        # Not every training has classes or samples, and an override that names no entry is refused.
        command += [f"--{key}", str(value)] if key in known else []
    for done in run_by_two(command):
        assert done.returncode == 0, done.stderr


def test_the_metric_of_two_processes_is_that_of_the_weights_they_keep(
    source, copy_bundle, write_weights, workflow, phantoms, samples, tmp_path, monkeypatch
):
    # Two processes would want two GPUs.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    bundle = copy_bundle(source.name)
    write_weights(bundle, threshold=1000.0, num_classes=4)
    folder = tmp_path / "run"
    _train_by_two(bundle, folder, dataset_dir=phantoms, sample_dir=samples, **SETTINGS)
    (stored,) = folder.glob("resume_checkpoint_*.pt")
    state = torch.load(stored, weights_only=True)

    training = workflow(bundle, "train", run_dir=str(tmp_path / "again"), ckpt_path=str(tmp_path / "x.pt"), **SETTINGS)
    slices = len(training.parser.get_parsed_content("train#dataset"))
    assert slices > 10
    # Each process has half of the batches of an epoch, of which the last is left out if it is not full.
    assert state["trainer"] == {"epoch": 2, "iteration": 2 * (-(-slices // 2) // 2)}

    training.parser.get_parsed_content("network").load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    training.evaluator.run()
    [value] = training.evaluator.state.metrics.values()
    # The reformer's slices get other noise where two processes draw it.
    noisy = source.name == "brain_mri_reformer"
    assert abs(state["best_weights"]["best"]) == pytest.approx(value, rel=0.03 if noisy else 1e-5)
