from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.attacks import INFORMED
from experiments.evaluation.page import page
from experiments.tables import read_table, write_tables

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
    # Those of the screen, of certified labels and of the defences have pages of their own.
    others = {path for name in ("screen", "certified", "defences") for path in PUBLISHED.glob(f"{name}*.csv")}
    for path in set(PUBLISHED.glob("*.csv")) - others:
        assert f"[{path.name}](results/{path.name})" in text
    for caption in re.findall(r"^\*Numbers: .*\*$", text, flags=re.MULTILINE):
        assert "Validation split" in caption or "of 8 volumes of 6 subjects; seed 0" in caption


def _quantities(**values):
    """Each value with an interval of 0.1 on both sides."""
    return {f"{name}{end}": value + by for name, value in values.items() for end, by in _ENDS}


_ENDS = (("", 0.0), ("_low", -0.1), ("_high", 0.1))
_FACTS = {
    **{"command": "run", "date": "2026-01-31", "volumes": "2", "subjects": "2", "seed": "7", "training_seed": "3"},
    **{
        "slices": "4",
        "resamples": "50",
        "clean_slices": "20",
        "attacked_slices": "8",
        "score": "spectral",
        "size": "small",
    },
}
_DAG = {"form": "dag", "target": "A", "strength": 1.0, "support": "brain"}
_SMALL = {
    "facts": _FACTS,
    "claims": [{"claim": "a claim", "bar": "at least 0.5", "verdict": "met", **_quantities(figure=0.6)}],
    "segmenters": [
        {"network": "UNet", "structure": "mean", "size": "small", **_quantities(dice=0.7)},
        {"network": "UNet", "structure": "left caudate", "size": "small", **_quantities(dice=0.8)},
        {"network": "SegNet", "structure": "mean", "size": "not trained"},
    ],
    "guard": [{"size": "small", "threshold": 1.5, **_quantities(coverage=0.9, false_positive_rate=0.1)}],
    "choice": [{**_DAG, "slices": 6, "auc_spectral": 0.9, "auc_combined": 0.8}],
    "attacks": [
        {**_DAG, **_quantities(tpr_shipped=0.25, dice_attacked=0.3)},
        {**_DAG, "form": INFORMED, "target": "guard", **_quantities(accepted_and_bad=0.75)},
    ],
    "corruptions": [{**_DAG, "form": "corruption", "target": "blur", **_quantities(dice_attacked=0.65)}],
}


@pytest.fixture
def small(tmp_path):
    """Tables of a run with two volumes."""
    rates = {f"tpr_at_5_{name}": 0.5 for name in ("spectral", "combined")}
    tables = {name: rows if name == "facts" else pd.DataFrame(rows) for name, rows in _SMALL.items()}
    tables["choice"] = tables["choice"].assign(**rates)
    write_tables(tables, tmp_path)
    return page(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "| a claim | at least 0.5 | 0.600 [0.500, 0.700] | met |",
        "| UNet | small | 0.700 [0.600, 0.800] |",
        "| SegNet | not trained | – |",
        "| left caudate | 0.800 [0.700, 0.900] |",
        "| Threshold | 1.5 |",
        "| Coverage: share of slices accepted | 0.900 [0.800, 1.000] |",
        "| A | γ | 0.900 | 0.800 | 0.500 | 0.500 |",
        "| DAG A, γ, brain only | – | – | – | – | 0.250 [0.150, 0.350] | – | – |",
        "| DAG A, γ, brain only | – | – | 0.300 [0.200, 0.400] | – | – | – | – |",
        "| informed attacker of guard, norm of DAG A | 0.750 [0.650, 0.850] | – | – | – | – | – | – |",
        "| blur | – | – | – | 0.650 [0.550, 0.750] | – | – |",
    ],
)
def test_a_page_of_small_tables_has_each_number_in_its_place(small, line):
    assert line in small.replace("\N{NO-BREAK SPACE}", " ").splitlines()


def test_captions_count_the_slices_of_each_table(small):
    informed = "8 slices, 4 of each (informed attacker: every second of them; the guard decides by the spectral score)"
    assert small.count(f"{informed} of 2 volumes of 2 subjects; seed 7") == 2
    assert small.count("8 slices, 4 of each of 2 volumes of 2 subjects") == 1
    assert small.count("20 slices, all that are not blank of 2 volumes") == 1
    assert "Networks trained with seed 3." in small


def test_the_mean_is_no_structure(small):
    structures = _tables(small)["Dice of each structure"][0]
    assert [row[0] for row in structures[2:]] == ["left caudate"]
