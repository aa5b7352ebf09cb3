import numpy as np
import pytest

from monai_advdefense.guard.predicted_dice import DicePredictor
from monai_advdefense.guard.stored import StoredDicePredictor, StoredReference
from monai_advdefense.guard.verdict import VolumeReference

NAMES = ("a", "b"), ("smooth", "noise")
REFERENCE = VolumeReference(*NAMES, 0.03, tuple(range(10)), tuple(range(1, 11)), (0.5, 1.5, 2.5), 0.05)
PREDICTOR = DicePredictor(
    np.arange(5.0), np.arange(1.0, 6.0), np.array([0.1, 0.2]), np.arange(5.0) / 7, (-0.1, 0.2), (-0.3, 0.4)
)


def test_a_reference_travels_in_a_state_dict_of_one_size():
    stored, other = StoredReference(*NAMES), StoredReference(*NAMES)
    assert stored.reference() is None
    empty = {name: value.shape for name, value in stored.state_dict().items()}
    stored.store(REFERENCE)
    assert {name: value.shape for name, value in stored.state_dict().items()} == empty
    other.load_state_dict(stored.state_dict())
    assert other.reference() == REFERENCE


def test_a_shorter_reference_leaves_nothing_of_the_longer_one():
    stored = StoredReference(*NAMES)
    stored.store(REFERENCE)
    shorter = VolumeReference(*NAMES, 0.03, REFERENCE.center, REFERENCE.scale, (9.0,), 0.05)
    stored.store(shorter)
    assert stored.reference() == shorter
    assert stored.subjects.sum() == 9


def test_a_predictor_travels_in_a_state_dict():
    stored, other = StoredDicePredictor(3), StoredDicePredictor(3)
    assert stored.predictor() is None
    stored.store(PREDICTOR)
    other.load_state_dict(stored.state_dict())
    found = other.predictor()
    for name in ("center", "scale", "intercept", "slope"):
        np.testing.assert_array_equal(getattr(found, name), getattr(PREDICTOR, name))
    assert found.structure_error == pytest.approx((-0.1, 0.2))
    assert found.volume_error == pytest.approx((-0.3, 0.4))
