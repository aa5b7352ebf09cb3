"""That the script for a GPU runs, and that everything it checks computes on the device of its input."""

from __future__ import annotations

import pytest
import torch

from benchmarks.device_check import compared, random_guard
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
