from __future__ import annotations

import json
import os

import pytest
import torch
from torch import nn

from monai_advdefense.errors import OutputError
from monai_advdefense.weights import calibrated_rate, save_calibrated


class _Guard(nn.Module):
    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = nn.Buffer(torch.tensor(threshold))


def _save(path, threshold):
    save_calibrated(_Guard(threshold), path, {"threshold": threshold, "false_positive_rate": threshold / 10})


def test_weights_and_record_lie_side_by_side(tmp_path):
    _save(tmp_path / "model.pt", 0.5)
    _save(tmp_path / "model.pt", 1.0)
    assert float(torch.load(tmp_path / "model.pt")["threshold"]) == 1.0
    record = json.loads((tmp_path / "model.calibration.json").read_text())
    assert record == {"weights": "model.pt", "threshold": 1.0, "false_positive_rate": 0.1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.calibration.json", "model.pt"]


@pytest.mark.parametrize("step", [("unlink", 0), ("replace", 0), ("replace", 1)])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_step_leaves_no_record_of_other_weights(tmp_path, monkeypatch, step, when):
    path = tmp_path / "model.pt"
    _save(path, 0.5)
    name, number = step
    real, calls = getattr(os, name), []

    def killed(*arguments, **options):
        calls.append(arguments)
        if len(calls) - 1 == number and when == "before":
            raise KeyboardInterrupt
        result = real(*arguments, **options)
        if len(calls) - 1 == number:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch:
        patch.setattr(os, name, killed)
        with pytest.raises(KeyboardInterrupt):
            _save(path, 1.0)
    threshold = float(torch.load(path)["threshold"])
    assert threshold in (0.5, 1.0)
    record = path.with_suffix(".calibration.json")
    assert not record.is_file() or json.loads(record.read_text())["threshold"] == threshold
    assert calibrated_rate(path, threshold) in (None, threshold / 10)


def test_a_full_disk_leaves_both_as_they_were(tmp_path, monkeypatch):
    _save(tmp_path / "model.pt", 0.5)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise RuntimeError("write failed: no space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="no space left"):
        _save(tmp_path / "model.pt", 1.0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
