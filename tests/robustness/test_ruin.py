from __future__ import annotations

import numpy as np
import pytest

from monai_advdefense.robustness.measurements import Measured, Measurements
from monai_advdefense.robustness.ruin import erased_structures, ruined_images
from tests.robustness.shared_voxels import measured


def measurements(*attacks: Measured, clean: list) -> Measurements:
    first = measured("clean", "clean", [clean])
    return Measurements(np.arange(len(clean)), ["a", "b", "c"], ["left", "right"], [first, *attacks])


def test_an_image_is_ruined_below_half_of_its_clean_dice_by_the_smallest_change_of_any_attack():
    first = measured(
        "attack", "first", [[[8, 8], [8, 8], [0, 0]], [[4, 3], [5, 5], [0, 0]]], change=[[0.1] * 3, [0.2] * 3]
    )
    second = measured(
        "attack", "second", [[[8, 8], [8, 8], [0, 0]], [[1, 1], [8, 8], [0, 0]]], change=[[0.1] * 3, [0.15] * 3]
    )
    found = ruined_images(measurements(first, second, clean=[[10, 10], [10, 10], [0, 0]]))
    assert found["images"] == 2  # the third has nothing to lose
    assert found["by_budget"] == [0.0, 0.5]  # at half of its Dice exactly, the second is not ruined
    assert found["smallest_change"] == {"median": None, "least": 0.15, "never": 0.5}


def test_what_a_small_budget_ruins_stays_ruined_at_a_larger_one():
    attack = measured("attack", "fickle", [[[1, 1]], [[9, 9]]], change=[[0.1], [0.2]])
    found = ruined_images(measurements(attack, clean=[[10, 10]]))
    assert found["by_budget"] == [1.0, 1.0]
    assert found["smallest_change"] == {"median": 0.1, "least": 0.1, "never": 0.0}


def test_structures_are_erased_one_by_one_if_they_were_there():
    attack = measured("attack", "eraser", [[[9, 0], [9, 9]], [[9, 0], [9, 0]]], change=[[0.1, 0.1], [0.2, 0.3]])
    found = erased_structures(measurements(attack, clean=[[10, 10], [4, 10]]))
    assert found["left"]["images"] == 1  # below half of it was found in the second image
    assert found["left"]["by_budget"] == [0.0, 0.0]
    assert found["right"]["by_budget"] == [0.5, 1.0]
    assert found["right"]["smallest_change"] == {"median": pytest.approx(0.2), "least": 0.1, "never": 0.0}


def test_without_attacks_there_is_nothing_to_tell():
    assert ruined_images(measurements(clean=[[10, 10]])) == {"images": 1, "by_budget": [], "smallest_change": None}
