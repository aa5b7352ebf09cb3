from __future__ import annotations

import pandas as pd
import pytest

from experiments.pages.numbers import Numbers
from experiments.tables import write_tables

FACTS = {
    "command": "run",
    "date": "2026-01-31",
    "volumes": "8",
    "subjects": "6",
    "seed": "0",
    "resamples": "100",
}


@pytest.fixture
def numbers(tmp_path):
    rows = [{"who": "a", "x": 0.5, "x_low": 0.4, "x_high": 0.6, "x_dropped": 6}, {"who": "b", "x": 0.25}]
    write_tables({"facts": FACTS, "other_facts": FACTS | {"resamples": "1000"}, "t": pd.DataFrame(rows)}, tmp_path)
    return Numbers(tmp_path)


def test_a_caption_has_words_slices_and_the_run(numbers):
    assert numbers.caption("Words.", "9 slices") == (
        "Words. 9 slices of 8 volumes of 6 subjects; seed 0; 95 % intervals from 100 resamples; 2026-01-31; run"
    )
    assert numbers.caption("", "9 slices").startswith("9 slices of 8")


def test_a_caption_names_preset_and_sizes_where_there_is_one(tmp_path, numbers):
    write_tables({"facts": FACTS | {"preset": "small", "sizes": "96 x 96 pixels"}}, tmp_path)
    assert "subjects; preset small: 96 x 96 pixels; seed 0;" in Numbers(tmp_path).caption("Words.", "9 slices")


def test_resamples_are_those_of_the_facts(tmp_path, numbers):
    row = numbers.table("t").iloc[0]
    assert numbers.cell(row, "x") == "0.500 [0.400, 0.600]*"
    assert Numbers(tmp_path, "other_facts").cell(row, "x") == "0.500 [0.400, 0.600]"


def test_a_table_is_read_once(numbers, tmp_path):
    first = numbers.table("t")
    (tmp_path / "t.csv").unlink()
    assert numbers.table("t") is first


def test_rows_hold_words_and_quantities(numbers):
    assert numbers.rows(numbers.table("t"), ["who", "x", "y"]) == [
        ["a", "0.500 [0.400, 0.600]*", "–"],
        ["b", "0.250", "–"],
    ]


def test_pivot_finds_the_first_row_of_each_place(numbers):
    places = [("a", "p", 1.0), ("b", "p", 2.0), ("b", "q", 3.0), ("b", "q", 4.0)]
    rows = pd.DataFrame(places, columns=["who", "what", "x"])
    table = numbers.pivot(rows, "x", ("who", ["a", "b"]), ("what", ["p", "q"]))
    assert table == [["1.000", "–"], ["2.000", "3.000"]]
    assert numbers.pivot(rows, "x", ("what", ["q"]), ("who", ["b", "a"])) == [["3.000", "–"]]
