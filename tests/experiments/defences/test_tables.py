from __future__ import annotations

import pandas as pd
import pytest

from experiments.defences.tables import Tables
from experiments.defences.threats import Threat
from experiments.pages.numbers import Numbers
from experiments.tables import write_tables

THREATS = (
    Threat("L2", (0.5, 1.5), "l2", steps=3),
    Threat("L-infinity", (4 / 255,), "linf"),
    Threat("9 steps, L2", (1.5,), "l2", steps=9, restarts=1),
    Threat("transfer, L2", (1.5,), "l2", knows="segmenter"),
    Threat("5 queries, L-infinity", (4 / 255,), "linf", knows="answers"),
)
# Dice of two defences; what knows them decides about their order.
DICE = {
    ("none", 0.0): (0.9, 0.8),
    ("L2", 0.5): (0.6, 0.7),
    ("L2", 1.5): (0.2, 0.3),
    ("L-infinity", 4 / 255): (0.5, 0.5),
    ("9 steps, L2", 1.5): (0.1, 0.05),
    ("transfer, L2", 1.5): (0.8, 0.4),
    ("5 queries, L-infinity", 4 / 255): (0.7, 0.3),
}


@pytest.fixture
def tables(tmp_path):
    rows = [
        {"defence": name, "threat": threat, "budget": budget, "passes": 2.0, "dice": dice[number]}
        | {"dice_low": dice[number] - 0.05, "dice_high": dice[number] + 0.05}
        | {"accepted": 1.0, "accepted_and_bad": 0.25, "structures_bad": 0.75}
        for number, name in enumerate(("worse", "better"))
        for (threat, budget), dice in DICE.items()
    ]
    facts = dict.fromkeys(("slices", "volumes", "subjects", "seed", "resamples", "date", "command"), "1")
    write_tables({"defences": pd.DataFrame(rows), "defences_facts": {**facts, "split": "test"}}, tmp_path)
    return Tables(Numbers(tmp_path, "defences_facts"), THREATS)


def test_the_best_under_those_who_know_all_comes_first(tables):
    assert [line[0] for line in tables.dice().rows] == ["better", "worse"]
    assert list(tables.dice().header) == ["Defence", "passes", "no attack", "L2 0.5", "L2 1.5", "L-infinity 4/255"]
    better = [
        "better",
        "2.000",
        *(f"{dice:.3f}<br>{dice - 0.05:.3f}–{dice + 0.05:.3f}" for dice in (0.8, 0.7, 0.3, 0.5)),
    ]
    assert tables.dice().rows[0] == better
    assert tables.bad().rows[0][1:] == ["1.000"] + 3 * ["0.250"]
    assert tables.structures().rows[0][1:] == 3 * ["0.750"]


def test_those_who_know_less_or_take_longer_have_tables_of_their_own(tables):
    less, longer = tables.transfer_and_queries(), tables.more_steps()
    assert list(less.header[1:3]) == ["Dice, transfer, L2 1.5", "Dice, 5 queries, L-infinity 4/255"]
    assert [cell.split("<br>")[0] for cell in less.rows[1]] == ["worse", "0.800", "0.700", "0.250", "0.250"]
    assert list(longer.header[1:3]) == ["Dice, L2 1.5", "Dice, 9 steps, L2 1.5"]
    assert [cell.split("<br>")[0] for cell in longer.rows[1]] == ["worse", "0.200", "0.100", "0.250", "0.250"]
    assert tables.lowered() == {"least": pytest.approx(0.1), "most": pytest.approx(0.25)}


def test_steps_are_said_where_they_hold(tables):
    assert "3 steps of each attack" in tables.dice().caption
    assert "steps" not in tables.transfer_and_queries().caption + tables.more_steps().caption
