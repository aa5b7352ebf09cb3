from __future__ import annotations

import numpy as np
import pytest

from monai_advdefense.robustness.condition import Condition
from monai_advdefense.robustness.measurements import Measured, Measurements


def _measured(kind, name, shared):
    """Shared voxels of one structure of 10 voxels, by level and sample."""
    shared = np.asarray(shared)[..., None]
    counts = np.stack([shared, np.full_like(shared, 10), np.full_like(shared, 10)], axis=-1)
    return Measured(Condition(kind, name, tuple(range(1, len(shared) + 1))), counts, np.zeros(shared.shape[:2]))


@pytest.fixture
def measurements():
    clean = _measured("clean", "clean", [[10, 8]])
    first = _measured("attack", "first", [[4, 8], [6, 8]])
    second = _measured("attack", "second", [[9, 3], [9, 1]])
    return Measurements(np.array([0, 1]), ["a", "b"], ["organ"], [clean, first, second])


def test_the_worst_case_is_image_by_image_and_never_better_at_a_larger_budget(measurements):
    assert measurements.worst_counts()[..., 0, 0].tolist() == [[4, 3], [4, 1]]


def test_a_weak_attack_does_not_hide_a_clean_image_that_is_worse():
    clean, attack = _measured("clean", "clean", [[2]]), _measured("attack", "weak", [[5]])
    assert Measurements(np.array([0]), ["a"], ["organ"], [clean, attack]).worst_counts()[0, 0, 0, 0] == 2


def test_dice_of_a_case_is_that_of_all_its_samples(measurements):
    together = Measurements(np.array([0, 0]), ["a"], ["organ"], measurements.measured)
    assert together.case_dice(measurements.clean.counts[0]).tolist() == [[0.9]]
    assert measurements.mean_dice(measurements.clean.counts[0]).estimate == pytest.approx(0.9)
