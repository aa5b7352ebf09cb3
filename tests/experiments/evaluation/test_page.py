from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.attacks import INFORMED
from experiments.evaluation.page import page
from experiments.tables import read_table

PUBLISHED = Path(__file__).parents[3] / "docs" / "results"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PUBLISHED, tmp_path / "results", ignore=shutil.ignore_patterns("paper"))


def _tables(text):
    """Cells of each table of a page, by its title."""
    found = {}
    for title, lines in re.findall(r"\*\*(.+)\*\*\n\n((?:\|.*\n)+)", text):
        found.setdefault(title, []).append([line.strip("| ").split(" | ") for line in lines.splitlines()])
    return found


def test_the_published_page_is_that_of_the_published_tables():
    assert page(PUBLISHED) == PUBLISHED.with_suffix(".md").read_text(encoding="utf-8")


def test_the_informed_attacker_comes_first():
    tables = _tables(page(PUBLISHED))
    informed = (read_table(PUBLISHED / "attacks.csv")["form"] == INFORMED).sum()
    for title in ("Clean against attacked slices", "Slices before and under attack"):
        names = [row[0] for row in tables[title][0][2:]]
        assert [name.startswith("informed attacker") for name in names] == [True] * informed + [False] * (
            len(names) - informed
        )


@pytest.mark.parametrize(
    ("title", "column", "name", "table"),
    [
        ("Clean against attacked slices", "ROC-AUC, combined score", "auc_combined", "attacks"),
        ("Slices before and under attack", "Won back", "recovered", "attacks"),
        ("Slices before and after an accident", "Spoilt", "dice_attacked", "corruptions"),
    ],
)
def test_cells_are_those_of_the_table(title, column, name, table):
    header, _, *rows = _tables(page(PUBLISHED))[title][0]
    shown = [row[header.index(column)] for row in rows]
    numbers = read_table(PUBLISHED / f"{table}.csv")
    numbers = numbers.sort_values("form", key=lambda form: form != INFORMED, kind="stable")[name]
    assert [cell.partition(" ")[0] for cell in shown] == ["–" if pd.isna(x) else f"{x:.3f}" for x in numbers]


def test_the_better_score_is_said_to_decide(folder):
    assert "so the combined one" in page(folder)
    choice = pd.read_csv(folder / "choice.csv")
    choice.assign(auc_combined=0.5).to_csv(folder / "choice.csv", index=False)
    assert "combined 0.500, so the spectral one" in page(folder)


def test_a_score_that_was_not_measured_is_not_better(folder):
    choice = pd.read_csv(folder / "choice.csv")
    choice.loc[0, "auc_combined"] = float("nan")
    choice.to_csv(folder / "choice.csv", index=False)
    assert "so the spectral one" in page(folder)


def test_every_table_is_linked_and_every_caption_names_the_run():
    text = page(PUBLISHED)
    # Those of the screen have a page of their own.
    for path in set(PUBLISHED.glob("*.csv")) - set(PUBLISHED.glob("screen*.csv")):
        assert f"[{path.name}](results/{path.name})" in text
    for caption in re.findall(r"^\*Numbers: .*\*$", text, flags=re.MULTILINE):
        assert "Validation split" in caption or "of 8 volumes of 6 subjects; seed 0" in caption
