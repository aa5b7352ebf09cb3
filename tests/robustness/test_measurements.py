from __future__ import annotations

import numpy as np
import pytest

from monai_advdefense.robustness.measurements import Measurements
from tests.robustness.shared_voxels import measured


@pytest.fixture
def measurements():
    clean = measured("clean", "clean", [[[10], [8]]])
    first = measured("attack", "first", [[[4], [8]], [[6], [8]]])
    second = measured("attack", "second", [[[9], [3]], [[9], [1]]])
    return Measurements(np.array([0, 1]), ["a", "b"], ["organ"], [clean, first, second])


def test_the_worst_case_is_image_by_image_and_never_better_at_a_larger_budget(measurements):
    assert measurements.worst_counts()[..., 0, 0].tolist() == [[4, 3], [4, 1]]


def test_a_weak_attack_does_not_hide_a_clean_image_that_is_worse():
    clean, attack = measured("clean", "clean", [[[2]]]), measured("attack", "weak", [[[5]]])
    assert Measurements(np.array([0]), ["a"], ["organ"], [clean, attack]).worst_counts()[0, 0, 0, 0] == 2


def test_dice_of_a_case_is_that_of_all_its_samples(measurements):
    together = Measurements(np.array([0, 0]), ["a"], ["organ"], measurements.measured)
    assert together.case_dice(measurements.clean.counts[0]).tolist() == [[0.9]]
    assert measurements.mean_dice(measurements.clean.counts[0]).estimate == pytest.approx(0.9)
