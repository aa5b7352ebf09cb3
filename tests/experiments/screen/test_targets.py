from __future__ import annotations

from collections import Counter

import pytest

from experiments.screen.conditions import ATTACKS, CLEAN, SPOILT
from experiments.screen.targets import GROUPS, TARGETS, Target


def test_every_condition_is_in_one_group_and_no_bound_is_set_for_anything_else():
    names = Counter(name for group in GROUPS.values() for name in group)
    assert max(names.values()) == 1
    assert names.keys() == {CLEAN, *SPOILT, *ATTACKS}
    assert TARGETS.keys() <= names.keys()


@pytest.mark.parametrize(
    ("target", "met", "missed", "words"),
    [
        (Target("rejected", 0.95), (0.95, 1.0), (0.94,), "at least 0.95"),
        (Target("rejected", 0.05, least=False), (0.0, 0.05), (0.06,), "at most 0.05"),
        (Target("coverage", 0.85, up_to=0.95), (0.85, 0.95), (0.84, 0.96), "0.85 to 0.95"),
    ],
)
def test_a_bound_is_met_at_its_value_and_said_in_words(target, met, missed, words):
    assert all(map(target.met, met))
    assert not any(map(target.met, missed))
    assert str(target) == words
