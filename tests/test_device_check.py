"""That the script for a GPU runs, and that everything it checks computes on the device of its input."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from monai.utils import set_determinism

from benchmarks.device_check.bundle_runs import BUNDLES, RUNS, results_of, write_brains
from benchmarks.device_check.components import compared, random_guard
from benchmarks.device_check.difference import difference
from monai_advdefense import handlers
from monai_advdefense.guard import SpectralDecision

from .other_device import other_device


def test_another_device_gives_what_the_cpu_gives():
    """A tensor left on the CPU raises where it meets one of the device."""
    with other_device() as device:
        differences = dict(compared(device))
    assert len(differences) >= 18
    assert {name for name, difference in differences.items() if difference} == set()


def test_a_tensor_on_the_cpu_is_noticed():
    guard = random_guard(SpectralDecision())
    image = torch.rand(2, 1, 64, 64)
    with other_device() as device:
        guard.to(device)
        assert guard.labels(image.to(device)).device == device
        guard.detector.threshold = torch.tensor([1.0, 1.0])
        with pytest.raises(RuntimeError, match="expected all tensors on one device"):
            guard.labels(image.to(device))


def test_results_of_the_other_device_lie_there_until_they_are_copied():
    with other_device() as device:
        there = torch.arange(3.0).to(device) + 1
        assert there.device == device
        assert (there.sum().item(), there.tolist(), there.cpu().device.type) == (6.0, [1.0, 2.0, 3.0], "cpu")
        assert torch.zeros_like(there).device == torch.tensor(1.0, device=device).device == device


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_on_one_device_alone_differs(value):
    here = {"first": torch.zeros(2), "second": torch.tensor([1.0, 0.0, 3e38])}
    there = {**here, "second": torch.tensor([1.0, value, 3e38])}
    assert difference(here, here) == difference(there, there) == 0
    assert difference(here, there) == difference(there, here) == torch.inf
    assert difference(there, {**here, "second": torch.tensor([1.0, 0.5, 3e38])}) == torch.inf
    assert difference(there, {**here, "second": -there["second"]}) > 0


def test_what_is_not_finite_is_read_from_files_as_it_is(tmp_path):
    torch.save({"weight": torch.tensor([torch.nan, torch.inf])}, tmp_path / "model.pt")
    (tmp_path / "scores.csv").write_text("slice,score\n0,\n1,inf\n")
    found = results_of(tmp_path)
    assert [str(value.tolist()) for value in found.values()] == ["[nan, inf]", "[0.0, 1.0]", "[nan, inf]"]


@pytest.fixture(scope="module")
def brains(tmp_path_factory):
    return write_brains(tmp_path_factory.mktemp("brains") / "brains")


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning")
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_whole_bundles_write_on_another_device_what_they_write_on_the_cpu(run, brains, tmp_path):
    try:
        here = run.on(torch.device("cpu"), brains, tmp_path / "here")
        with other_device() as device:
            there = run.on(device, brains, tmp_path / "there")
    finally:
        set_determinism(None)
    before = results_of(BUNDLES / run.bundle)
    assert any(name not in before or difference(value, before[name]) for name, value in here.items())
    assert difference(here, there) <= run.tolerance


def test_runs_of_bundles_have_all_handlers_but_that_of_several_processes():
    texts = [Path(BUNDLES, run.bundle, "configs", f"{name}.json").read_text() for run in RUNS for name in run.configs]
    used = set(re.findall(r"monai_advdefense\.handlers\.(\w+)", "".join(texts)))
    assert used == {name for name in handlers.__all__ if name[0].isupper()} - {"SyncBuffers"}
