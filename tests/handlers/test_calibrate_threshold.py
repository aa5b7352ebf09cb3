from __future__ import annotations

import json
import multiprocessing
import os
import re

import ignite.distributed as idist
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from torch import nn

from monai_advdefense.errors import AdvDefenseError, InputError, OutputError
from monai_advdefense.guard import ReconstructionDetector
from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.handlers.calibrate_threshold import CalibrateThreshold


def _detector() -> ReconstructionDetector:
    """Reconstructs an image as half of it, so that its score is half of its norm."""
    convolution = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(convolution.weight, 0.5)
    return ReconstructionDetector(convolution, domain="image")


def _slices(norms: list[float], domain: str | None = None) -> list[dict]:
    """Slices of 4 x 4 with one bright voxel."""
    slices = []
    for norm in norms:
        image = torch.zeros(1, 4, 4)
        image[0, 1, 2] = norm
        slices.append({"image": image} if domain is None else {"image": image, "domain": domain})
    return slices


def _evaluator(network, slices, handler, batch_size=7, **options) -> SupervisedEvaluator:
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(slices), batch_size=batch_size),
        network=network,
        val_handlers=[handler],
        **options,
    )


@pytest.mark.parametrize("decollate", [True, False])
def test_threshold_lands_in_the_network_and_in_the_checkpoint(tmp_path, decollate):
    network, path = _detector(), tmp_path / "models" / "model.pt"
    norms = np.random.default_rng(0).permutation(np.arange(1.0, 31.0))
    handler = CalibrateThreshold(network, path, false_positive_rate=0.1)
    _evaluator(network, _slices(norms.tolist()), handler, decollate=decollate).run()

    expected = threshold_at_false_positive_rate(norms / 2, 0.1)
    assert expected == 14  # the 28th of 30
    assert network.threshold.item() == expected
    state = torch.load(path, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    restored = ReconstructionDetector(nn.Conv2d(1, 1, 1, bias=False), domain="image")
    restored.load_state_dict(state, strict=True)
    images = torch.stack([item["image"] for item in _slices(norms.tolist())])
    assert restored.accept(images).sum() == 28
    assert sorted(os.listdir(path.parent)) == ["model.calibration.json", "model.pt"]


def test_blank_slices_do_not_count(tmp_path):
    network = _detector()
    slices = _slices([0.0] * 100 + list(range(1, 20)))
    _evaluator(network, slices, CalibrateThreshold(network, tmp_path / "model.pt")).run()
    assert network.threshold.item() == 9.5
    record = json.loads((tmp_path / "model.calibration.json").read_text())
    assert record["domains"]["all"]["slices"] == 19
    assert record["domains"]["all"]["blank_slices"] == 100


def test_the_rate_holds_in_each_domain_and_the_record_tells_them_apart(tmp_path):
    network = _detector()
    slices = _slices(list(range(1, 41)), "scans") + _slices(list(range(101, 121)), "template") + _slices([0], "scans")
    slices = [slices[i] for i in np.random.default_rng(1).permutation(len(slices))]
    _evaluator(network, slices, CalibrateThreshold(network, tmp_path / "model.pt", false_positive_rate=0.1)).run()
    record = json.loads((tmp_path / "model.calibration.json").read_text())
    assert record["weights"] == "model.pt"
    assert record["false_positive_rate"] == 0.1
    assert record["threshold"] == network.threshold.item() == 59.5
    scans, template = record["domains"]["scans"], record["domains"]["template"]
    assert (scans["slices"], scans["blank_slices"], scans["threshold"]) == (40, 1, 18.5)
    assert (template["slices"], template["blank_slices"], template["threshold"]) == (20, 0, 59.5)
    assert scans["score_quantiles"]["0.5"] == 10.25
    assert (template["score_quantiles"]["0"], template["score_quantiles"]["1"]) == (50.5, 60)


def test_domains_can_be_ignored(tmp_path):
    network = _detector()
    slices = _slices(list(range(1, 11)), "scans") + _slices(list(range(11, 21)), "template")
    _evaluator(network, slices, CalibrateThreshold(network, tmp_path / "model.pt", domain_key=None)).run()
    assert network.threshold.item() == 10


def test_a_second_run_starts_afresh(tmp_path):
    network = _detector()
    evaluator = _evaluator(network, _slices([1.0] * 20), CalibrateThreshold(network, tmp_path / "model.pt"))
    evaluator.run()
    evaluator.run()
    assert json.loads((tmp_path / "model.calibration.json").read_text())["domains"]["all"]["slices"] == 20


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (_slices(list(range(1, 19))), "scores of domain 'all': expected at least 19 scores"),
        (_slices([1.0] * 30, "scans") + _slices([0.0] * 30, "template"), "domain 'template': expected at least 19"),
        (_slices([1.0] * 30 + [float("inf")]), "found 1 of 31 NaN or infinite"),
        ([{**item, "domain": 3} for item in _slices([1.0] * 30)], "batch entry 'domain': expected 7 names"),
    ],
)
def test_a_failed_calibration_leaves_the_files_alone(tmp_path, slices, message):
    network = _detector()
    (tmp_path / "model.pt").write_bytes(b"weights")
    (tmp_path / "model.calibration.json").write_text("record")
    with pytest.raises(AdvDefenseError, match=re.escape(message)):
        _evaluator(network, slices, CalibrateThreshold(network, tmp_path / "model.pt")).run()
    assert (tmp_path / "model.pt").read_bytes() == b"weights"
    assert (tmp_path / "model.calibration.json").read_text() == "record"
    assert len(os.listdir(tmp_path)) == 2
    assert torch.isnan(network.threshold)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    network = _detector()
    (tmp_path / "models").write_text("a file where the folder should be")
    path = tmp_path / "models" / "model.pt"
    with pytest.raises(OutputError, match=f"^{path.with_suffix('')}.*: expected to write here"):
        _evaluator(network, _slices([1.0] * 20), CalibrateThreshold(network, path)).run()


@pytest.mark.parametrize("rate", [0, 1.5, "often"])
def test_a_wrong_rate_is_found_before_the_run(tmp_path, rate):
    with pytest.raises(InputError, match="false_positive_rate"):
        CalibrateThreshold(_detector(), tmp_path / "model.pt", false_positive_rate=rate)


def _calibrate_a_share(rank: int, folder: str) -> None:
    """One of two processes: 24 and 6 slices, the domains not in both."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    network = _detector()
    slices = _slices(list(range(1, 25))) if rank == 0 else _slices(list(range(25, 31)), "all")
    handler = CalibrateThreshold(network, f"{folder}/rank{rank}.pt", false_positive_rate=0.1)
    _evaluator(network, slices, handler).run()
    torch.save(network.threshold, f"{folder}/threshold{rank}")
    idist.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="spawning imports torch twice")
def test_processes_calibrate_on_all_their_slices_and_the_first_one_writes(tmp_path):
    processes = torch.multiprocessing.start_processes(
        _calibrate_a_share, args=(str(tmp_path),), nprocs=2, join=False, start_method="fork"
    )
    try:
        # Each call waits for one more of them.
        assert any(processes.join(timeout=60) for _ in range(2)), "the processes wait for each other"
    finally:
        for process in processes.processes:
            process.kill()
    thresholds = [torch.load(tmp_path / f"threshold{rank}", weights_only=True).item() for rank in (0, 1)]
    assert thresholds == [14, 14]
    record = json.loads((tmp_path / "rank0.calibration.json").read_text())
    assert record["domains"]["all"]["slices"] == 30
    assert (tmp_path / "rank0.pt").is_file()
    assert not (tmp_path / "rank1.pt").exists()
