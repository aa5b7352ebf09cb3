from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from experiments.certified.page import page
from experiments.tables import read_table, write_tables

DOCS = Path(__file__).parents[3] / "docs"


def test_the_published_page_is_that_of_the_published_tables():
    assert page(DOCS / "results") == (DOCS / "certified-results.md").read_text(encoding="utf-8")


def test_each_row_of_the_table_is_one_of_the_page_and_the_network_without_noise_is_named(tmp_path):
    table = read_table(DOCS / "results" / "certified.csv").iloc[[0, 2]]
    facts = pd.read_csv(DOCS / "results" / "certified_facts.csv").iloc[0].to_dict()
    write_tables({"certified": table, "certified_facts": {**facts, "sigma": "0.5"}}, tmp_path)
    text = page(tmp_path)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| shipped")]
    assert [row[:3] for row in rows] == [["shipped, no noise", "0", "0"], ["shipped", "100", "0.1"]]
    assert [float(row[-1]) for row in rows] == pytest.approx(list(table["abstained"]), abs=1e-3)
    assert "Noise of 0.5 of the range of gray values" in text
