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

from monai_advdefense.errors import AdvDefenseError, InputError
from monai_advdefense.guard import (
    CombinedDecision,
    DefendedSegmenter,
    ReconstructionDetector,
    Reformer,
    SpectralDecision,
)
from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.handlers.calibrate_combination import CalibrateCombination


class Zero(nn.Module):
    """Reconstructs nothing: the spectral score is the norm of the image."""

    def forward(self, image):
        return torch.zeros_like(image)


class Half(nn.Module):
    """Reforms to half of the image."""

    def forward(self, image):
        return image / 2


def _guard(**options) -> DefendedSegmenter:
    torch.manual_seed(0)
    detector = ReconstructionDetector(Zero(), domain="image")
    detector.threshold.fill_(7.0)
    return DefendedSegmenter(detector, Reformer(Half()), nn.Conv2d(1, 3, 3, padding=1), **options)


def _slices(count: int, seed: int, domain: str = "scans", brightness: float = 1.0) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    images = brightness * torch.rand(count, 1, 6, 5, generator=generator)
    return [{"image": image * (index + 1) / count, "domain": domain} for index, image in enumerate(images)]


def _calibrate(network, slices, path, inferer=None, **options) -> None:
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(slices), batch_size=7),
        network=network,
        inferer=inferer or (lambda image, network, *args, **kwargs: network.scores(image)),
        val_handlers=[CalibrateCombination(network, path, **options)],
    )
    evaluator.run()


@torch.no_grad()
def _pairs(slices) -> np.ndarray:
    return _guard().scores(torch.stack([item["image"] for item in slices])).double().numpy()


@pytest.mark.parametrize("decision", [SpectralDecision, CombinedDecision])
def test_center_scale_and_threshold_land_in_network_and_checkpoint(tmp_path, decision):
    network, path, slices = _guard(decision=decision()), tmp_path / "models" / "model.pt", _slices(40, 1)
    _calibrate(network, slices, path, false_positive_rate=0.1)
    pairs = _pairs(slices)
    center, scale = pairs.mean(0), pairs.std(0, ddof=1)
    np.testing.assert_allclose(network.decision.center, center, rtol=1e-5)
    np.testing.assert_allclose(network.decision.scale, scale, rtol=1e-5)
    expected = threshold_at_false_positive_rate(((pairs - center) / scale).sum(1), 0.1)
    assert network.decision.threshold.item() == pytest.approx(expected, rel=1e-4)
    assert network.detector.threshold == 7.0

    restored = _guard(decision=CombinedDecision())
    restored.load_state_dict(torch.load(path, weights_only=True), strict=True)
    images = torch.stack([item["image"] for item in slices])
    # The 37th of 40 is the threshold itself, which is accepted.
    accepted = torch.cat([restored.decide(part, restored.score(part)) for part in images.split(7)])
    assert accepted.sum() == 37
    assert sorted(os.listdir(path.parent)) == ["model.calibration.json", "model.pt"]


def test_the_rate_holds_in_each_domain_and_the_record_tells_them_apart(tmp_path):
    network = _guard()
    slices = _slices(40, 1) + _slices(30, 2, "template", 2.0)
    slices += [{"image": torch.zeros(1, 6, 5), "domain": "scans"}] * 5
    order = np.random.default_rng(0).permutation(len(slices))
    _calibrate(network, [slices[i] for i in order], tmp_path / "model.pt", false_positive_rate=0.1)
    pairs = _pairs(slices[:70])
    sums = ((pairs - pairs.mean(0)) / pairs.std(0, ddof=1)).sum(1)
    by_domain = {"scans": sums[:40], "template": sums[40:]}
    record = json.loads((tmp_path / "model.calibration.json").read_text())
    for name, values in by_domain.items():
        found = record["domains"][name]
        assert found["slices"] == len(values)
        assert found["threshold"] == pytest.approx(threshold_at_false_positive_rate(values, 0.1), rel=1e-4)
        assert found["score_quantiles"]["0.5"] == pytest.approx(np.median(values), rel=1e-4, abs=1e-5)
    assert record["domains"]["scans"]["blank_slices"] == 5
    assert record["threshold"] == max(found["threshold"] for found in record["domains"].values())
    assert record["threshold"] == network.decision.threshold.item()
    assert record["center"] == network.decision.center.tolist()
    assert record["scale"] == network.decision.scale.tolist()
    assert (record["weights"], record["false_positive_rate"]) == ("model.pt", 0.1)


def _constant(image, network, *args, **kwargs):
    return torch.ones(len(image), 2)


def _broken(image, network, *args, **kwargs):
    return network.scores(image) * torch.tensor([1.0, float("inf")])


def _logits(image, network, *args, **kwargs):
    return network(image)


@pytest.mark.parametrize(
    ("slices", "inferer", "message"),
    [
        (_slices(18, 1), None, "scores of domain 'scans': expected at least 19 scores"),
        (_slices(30, 1) + _slices(3, 2, "template"), None, "scores of domain 'template': expected at least 19"),
        ([{"image": torch.zeros(1, 6, 5)}] * 30, None, "scores: expected those of at least 2 images, found 0"),
        (_slices(30, 1), _constant, "scores of kind 0: expected different ones, found 1 for all 30"),
        (_slices(30, 1), _broken, "scores of kind 1: expected finite numbers, found 30 of 30"),
        (_slices(30, 1), _logits, "prediction: expected a spectral and a divergence score (B, 2), found (7, 4, 6, 5)"),
    ],
)
def test_a_failed_calibration_leaves_network_and_files_alone(tmp_path, slices, inferer, message):
    network = _guard()
    (tmp_path / "model.pt").write_bytes(b"weights")
    (tmp_path / "model.calibration.json").write_text("record")
    with pytest.raises(AdvDefenseError, match=re.escape(message)):
        _calibrate(network, slices, tmp_path / "model.pt", inferer)
    assert (tmp_path / "model.pt").read_bytes() == b"weights"
    assert (tmp_path / "model.calibration.json").read_text() == "record"
    assert all(buffer.isnan().all() for buffer in network.decision.buffers())


@pytest.mark.parametrize("rate", [0, 1.5, "often"])
def test_a_wrong_rate_is_found_before_the_run(tmp_path, rate):
    with pytest.raises(InputError, match="false_positive_rate"):
        CalibrateCombination(_guard(), tmp_path / "model.pt", false_positive_rate=rate)


def _calibrate_a_share(rank: int, folder: str) -> None:
    """One of two processes: the second has the first slices."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    slices = _slices(42, 1)
    _calibrate(_guard(), slices[14:] if rank == 0 else slices[:14], f"{folder}/rank{rank}.pt")
    idist.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="spawning imports torch twice")
def test_processes_calibrate_as_one_bit_for_bit(tmp_path):
    _calibrate(_guard(), _slices(42, 1), tmp_path / "alone.pt")
    processes = torch.multiprocessing.start_processes(
        _calibrate_a_share, args=(str(tmp_path),), nprocs=2, join=False, start_method="fork"
    )
    try:
        # Each call waits for one more of them.
        assert any(processes.join(timeout=60) for _ in range(2)), "the processes wait for each other"
    finally:
        for process in processes.processes:
            process.kill()
    alone, together = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("alone", "rank0"))
    torch.testing.assert_close(together, alone, rtol=0, atol=0)
    assert not (tmp_path / "rank1.pt").exists()
