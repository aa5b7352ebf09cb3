from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from experiments.screen.conditions import ATTACKS, CLEAN, SPOILT
from experiments.screen.page import page
from experiments.screen.targets import GROUPS, TARGETS, Target
from experiments.tables import read_table

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_made_from_the_table():
    assert page(DOCS / "results") == (DOCS / "screen-results.md").read_text(encoding="utf-8")


def test_a_wanted_figure_that_was_missed_stands_among_the_missed():
    table = read_table(DOCS / "results" / "screen.csv")
    missed = (DOCS / "screen-results.md").read_text(encoding="utf-8").partition("## Clean volumes")[0]
    for row in table.to_dict("records"):
        for target in TARGETS.get(row["condition"], ()):
            mark, value = row.get(f"{target.quantity}_met", ""), row.get(target.quantity)
            known = value is not None and not pd.isna(value)
            assert mark == ({True: "yes", False: "missed"}[target.met(value)] if known else "")
    lines = [line for line in missed.splitlines() if line.startswith("| ")]
    for row in table.to_dict("records"):
        count = sum(row.get(f"{target.quantity}_met") == "missed" for target in TARGETS.get(row["condition"], ()))
        assert sum(line.startswith(f"| {row['condition']} |") for line in lines) == count


def test_base_rates_stand_beside_every_attack_that_was_measured():
    table = read_table(DOCS / "results" / "screen.csv")
    attacks = table[table["group"] == "attack"]
    assert attacks["base_rate"].notna().all()


def test_every_condition_has_a_group_and_every_target_a_condition():
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert set(names) == {"none", *SPOILT, *ATTACKS}
    assert set(TARGETS) <= set(names)


def test_each_refit_has_its_line():
    lines = (DOCS / "screen-results.md").read_text(encoding="utf-8").partition("## Refitted")[2].splitlines()
    for row in read_table(DOCS / "results" / "screen_against_attacker.csv").to_dict("records"):
        clean = f"{row['clean_rejected']:.0f} of {row['clean_slices']:.0f}"
        (line,) = [line for line in lines if line.startswith(f"| {row['round']:.0f} | {clean} |")]
        assert f"| {row['accepted_and_bad']:.0f} |" in line
        assert f"| {row['dice']:.3f} |" in line


@pytest.mark.parametrize(("value", "least", "most"), [(0.4, False, True), (0.5, True, True), (0.6, True, False)])
def test_a_bound_itself_is_met(value, least, most):
    assert Target("rejected", 0.5).met(value) == least
    assert Target("rejected", 0.5, least=False).met(value) == most
    assert str(Target("rejected", 0.5)) == "at least 0.5"


def test_a_bound_may_have_two_ends():
    target = Target("dice_coverage", 0.85, up_to=0.95)
    assert [target.met(value) for value in (0.8, 0.9, 0.99)] == [False, True, False]
    assert str(target) == "0.85 to 0.95"


def test_what_was_wanted_stands_below_each_figure():
    folder = DOCS / "results"
    table = read_table(folder / "screen.csv")
    marks = [column for column in table if column.endswith("_met")]
    wanted = table[table["condition"] != CLEAN][marks].isin(["yes", "missed"]).to_numpy().sum()
    assert page(folder).count(": yes)") + page(folder).count(": missed)") == wanted > 0
