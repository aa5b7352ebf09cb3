"""What is collected of a finished run, from one whose artefacts are made of numbers that tell where they belong."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from experiments.attacks import attack_settings
from experiments.paper.names import (
    CALIBRATION,
    COMBINED,
    DETECTORS,
    DIVERGENCE,
    GUARDS,
    NO_REFORMER,
    TARGETS,
)
from experiments.paper.results import collect, measurements
from experiments.tables import CLEAN

SLICES = 5


def _numbers(*names):
    """Numbers that only these names have, in this order."""
    rng = np.random.default_rng([sum(map(ord, name)) for name in names])
    return rng.normal(size=9 if CALIBRATION in names else SLICES)


def _stored(**arrays):
    return SimpleNamespace(load=lambda: arrays)


class _Run:
    """A finished run: two volumes, the first of four slices."""

    settings = {setting.name: setting for setting in attack_settings(strengths=(1.0,), whole=(1.0,), guards=GUARDS)}

    def scores(self, detector, target, name):
        return _stored(score=_numbers(detector, target, name))

    def divergence(self, target, name):
        return _stored(score=_numbers("divergence", target, name))

    def overlaps(self, reformer, target, name):
        value = _numbers(reformer, target, name)
        return _stored(counts=np.tile(value[:, None, None], (1, 4, 3)), soft_dice=value)

    def attack(self, target, name):
        return _stored(norm=_numbers("norm", target, name), flipped=_numbers("flipped", target, name))

    def slices(self, split):
        assert split == "test"
        volume = np.array([0, 0, 0, 0, 1])
        return SimpleNamespace(volume=volume, subject=np.array(["a", "a", "a", "a", "b"]))

    def images(self, target, name):
        value = _numbers("image", target, name)
        return torch.from_numpy(value).view(SLICES, 1, 1, 1).expand(SLICES, 1, 2, 2)


@pytest.fixture(scope="module")
def found():
    return collect(_Run(), {"date": "2026-01-31"})


def test_the_scores_of_each_detector_are_those_on_disk(found):
    assert set(found.detectors) == {*DETECTORS, DIVERGENCE, COMBINED}
    for target in TARGETS:
        np.testing.assert_array_equal(
            found.scores["UNet image", target, "dag_B_1_brain"], _numbers("UNet image", target, "dag_B_1_brain")
        )
        np.testing.assert_array_equal(found.scores[DIVERGENCE, target, CLEAN], _numbers("divergence", target, CLEAN))


def test_the_combined_score_adds_both_in_standard_deviations_of_the_calibration(found):
    for target in TARGETS:
        parts = []
        for name in ("UNet shifted", "divergence"):
            calibration = _numbers(name, target, CALIBRATION)
            parts.append((_numbers(name, target, "dag_A_1_brain") - calibration.mean()) / calibration.std(ddof=1))
        np.testing.assert_allclose(found.scores[COMBINED, target, "dag_A_1_brain"], sum(parts), rtol=1e-6)
        assert found.calibration[COMBINED, target].mean() == pytest.approx(0, abs=1e-6)


def test_calibration_is_apart_from_what_is_tested(found):
    assert set(found.calibration) == {(detector, target) for detector in found.detectors for target in TARGETS}
    assert {len(values) for values in found.calibration.values()} == {9}
    assert {len(values) for values in found.scores.values()} == {SLICES}
    assert {name for _, _, name in found.scores} == {CLEAN, *_Run.settings}


def test_each_overlap_is_that_of_its_reformer_target_and_slices(found):
    for reformer, target, name in (("UNet", "SegNet", "dag_C_1_brain"), (NO_REFORMER, "DenseNet", CLEAN)):
        np.testing.assert_array_equal(found.soft_dice[reformer, target, name], _numbers(reformer, target, name))
        np.testing.assert_array_equal(found.counts[reformer, target, name][:, 2, 1], _numbers(reformer, target, name))
    assert ("UNet", "UNet", "dag_A_1_whole") not in found.counts
    assert (NO_REFORMER, "UNet", "dag_A_1_whole") in found.counts


def test_norms_are_those_of_the_attacked_target(found):
    assert set(found.norm) == {(target, name) for target in TARGETS for name in _Run.settings}
    np.testing.assert_array_equal(found.norm["SegNet", "dag_A_1_brain"], _numbers("norm", "SegNet", "dag_A_1_brain"))
    np.testing.assert_array_equal(found.flipped["UNet", "dag_A_1_brain"], _numbers("flipped", "UNet", "dag_A_1_brain"))


def test_the_example_is_the_middle_slice_of_the_first_volume(found):
    assert list(found.examples) == [CLEAN, "type A", "type B", "type C"]
    for shown, name in ((CLEAN, CLEAN), ("type A", "dag_A_1_brain")):
        example = found.examples[shown]
        assert example.shape == (2, 2)
        assert (example == _numbers("image", "UNet", name)[2]).all()


def test_a_defence_has_the_norm_of_the_attack_on_its_own_network():
    behind = {("a defence", "UNet"): ("UNet", "another", [CLEAN])}
    found = measurements(_Run(), behind, {"a defence": "another"})
    np.testing.assert_array_equal(found["soft_dice"]["a defence", "UNet", CLEAN], _numbers("UNet", "another", CLEAN))
    wanted = _numbers("norm", "another", "dag_A_1_brain")
    np.testing.assert_array_equal(found["norm"]["a defence", "dag_A_1_brain"], wanted)


def test_facts_say_how_much_was_measured(results):
    facts = results.counted(1000)
    assert facts.items() >= results.facts.items()
    assert int(facts["clean_slices"]) == len(results.subject)
    assert int(facts["volumes"]) == len(np.unique(results.volume)) > int(facts["subjects"]) > 1
    assert facts["resamples"] == "1000"
