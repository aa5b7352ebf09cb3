from __future__ import annotations

import numpy as np
import pytest

from monai_advdefense.robustness.condition import Condition
from monai_advdefense.robustness.measurements import Measured, Measurements, mean_over_structures
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


def test_no_attack_leaves_less_of_a_case_than_the_worst_case():
    """Structures that few voxels of an image show weigh little in its case, but as much as others in its own Dice."""
    shape = (3, 12, 5)
    draws = np.random.default_rng(0)
    label = draws.integers(0, 60, shape[1:])
    kinds = ["clean", *["attack"] * 4]
    conditions = []
    for number, kind in enumerate(kinds):
        predicted = draws.integers(0, 60, shape)
        overlap = draws.integers(0, np.minimum(predicted, label) + 1)
        counts = np.stack([overlap, predicted, np.broadcast_to(label, shape)], axis=-1)
        levels = (0.0,) if kind == "clean" else (0.1, 0.2, 0.3)
        condition = Condition(kind, f"{kind} {number}", levels)
        conditions.append(Measured(condition, counts[: len(levels)], np.zeros((len(levels), shape[1]))))
    cases = Measurements(np.repeat(np.arange(3), 4), list("abc"), list("vwxyz"), conditions)
    worst = [mean_over_structures(cases.case_dice(counts)) for counts in cases.worst_counts()]
    assert (np.diff(worst, axis=0) <= 0).all()
    alone = [
        [mean_over_structures(cases.case_dice(counts)) for counts in one.counts] for one in cases.of_kind("attack")
    ]
    assert (np.array(worst) <= np.array(alone).min(axis=0)).all()


def test_dice_of_a_case_is_that_of_all_its_samples(measurements):
    together = Measurements(np.array([0, 0]), ["a"], ["organ"], measurements.measured)
    assert together.case_dice(measurements.clean.counts[0]).tolist() == [[0.9]]
    assert measurements.mean_dice(measurements.clean.counts[0]).estimate == pytest.approx(0.9)
