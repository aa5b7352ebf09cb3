from __future__ import annotations

import numpy as np
import pytest

from experiments.attacks import INFORMED, AttackSetting
from experiments.evaluation.networks import load_guard, load_segmenter
from experiments.evaluation.split import EVERY, Split

SETTINGS = [AttackSetting("dag", "A"), AttackSetting("noise", "A"), AttackSetting(INFORMED, "guard", 0.5)]


@pytest.fixture
def split(bundles, phantoms, tmp_path, write_weights):
    write_weights()
    return Split(phantoms, "test", bundles, tmp_path / "work", 4, 0)


def test_clean_slices_are_all_of_the_split_and_carry_the_score_in_use(split, bundles):
    guard = load_guard(bundles)
    clean = split.clean("guard", guard)
    assert len(clean["volume"]) == len(split.slices)
    assert set(clean["subject"]) == {case["subject"] for case in split.cases}
    np.testing.assert_array_equal(clean["score"], clean[guard.network.decision.name])


def test_a_segmenter_has_the_same_counts_as_in_the_guard(split, bundles, phantoms):
    guard, alone = split.clean("guard", load_guard(bundles)), split.clean("alone", load_segmenter(bundles, phantoms))
    np.testing.assert_array_equal(guard["plain"], alone["plain"])
    assert "score" not in alone


def test_attacks_come_with_the_clean_slices_that_they_attack(split, bundles):
    guard = load_guard(bundles)
    clean = split.clean("guard", guard)
    found = {setting.form: (before, after) for setting, before, after in split.attacks(guard, clean, SETTINGS)}
    assert list(found) == ["dag", "noise", INFORMED]
    for form, (before, after) in found.items():
        for name in ("volume", "slice", "subject"):
            np.testing.assert_array_equal(before[name], after[name])
        assert len(after["norm"]) == (8 if form != INFORMED else 8 // EVERY)
    dag, noise, informed = (found[form][1]["norm"] for form in ("dag", "noise", INFORMED))
    np.testing.assert_allclose(noise, dag, rtol=1e-3)
    assert (informed <= 0.5 * dag[::EVERY] + 1e-6).all()


def test_what_was_measured_is_read_without_the_slices(split, bundles, phantoms, tmp_path):
    guard = load_guard(bundles)
    clean = split.clean("guard", guard)
    first = list(split.attacks(guard, clean, SETTINGS[:1]))
    again = Split(phantoms, "test", bundles, tmp_path / "work", 4, 0)
    second = list(again.attacks(guard, again.clean("guard", guard), SETTINGS[:1]))
    assert "slices" not in vars(again)
    np.testing.assert_array_equal(first[0][2]["norm"], second[0][2]["norm"])


def test_facts_change_with_what_a_measurement_depends_on(split, bundles):
    guard = load_guard(bundles)
    facts = split.facts(guard, seed=0)
    assert facts == split.facts(guard, seed=0)
    assert facts != split.facts(guard, seed=1)
    assert {"classes.csv", "subjects.csv"} < set(facts["data"])
    assert len(facts["data"]) == 2 + 2 * len(split.cases)
