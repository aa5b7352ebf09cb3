"""That the script for a GPU runs, and that networks leave no tensor on another device than their own."""

from __future__ import annotations

import pytest
import torch

from benchmarks.device_check import CHECKS, compared, random_guard
from monai_advdefense.guard import SpectralDecision

# What decides by the values of a tensor cannot run on the meta device, whose tensors have none.
WITHOUT_VALUES = ["FFTShiftMagnitude", "detector", "guard: decisions", "guard: labels", "guard: logits", "reformer"]


def test_the_cpu_equals_itself():
    assert {name for name, difference in compared(torch.device("cpu")) if difference} == set()


@pytest.mark.parametrize("name", WITHOUT_VALUES)
def test_nothing_is_left_on_the_cpu(name):
    """A tensor of the meta device raises where it meets one of the CPU."""
    guard = random_guard(SpectralDecision()).to("meta")
    assert CHECKS[name](guard, None, torch.rand(2, 1, 64, 64, device="meta")).device.type == "meta"


def test_a_tensor_on_the_cpu_would_be_noticed():
    guard = random_guard(SpectralDecision()).to("meta")
    guard.detector.threshold = torch.tensor([1.0, 1.0])
    with pytest.raises(RuntimeError, match="device"):
        CHECKS["guard: labels"](guard, None, torch.rand(2, 1, 64, 64, device="meta"))
