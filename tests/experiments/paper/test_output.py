from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.paper import output
from experiments.paper.output import plots, write
from experiments.paper.quantities import quantities
from experiments.paper.rows import guard_table

TABLES = ("facts", "detection", "guards", "attacks", "comparisons", "claims", "bars", "roc", "risk_coverage")
FIGURES = ("figure_2", "figure_3", "figure_4", "roc", "risk_coverage")


@pytest.fixture(scope="module")
def small(build):
    shifts = {"UNet unshifted": 0.5, "UNet shifted": 3.0, "UNet shifted + divergence": 5.0}
    return build(targets=("SegNet",), shifts=shifts, strengths=(1.0,), slices=3)


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("output")
    assert write(small, folder, resamples=20) == folder / "results.md"
    return folder


def _rows(folder, name):
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_all_files_are_there_and_no_other(folder):
    names = {path.name for path in folder.iterdir()}
    figures = {f"{name}.png" for name in FIGURES}
    assert names == figures | {f"{name}.csv" for name in TABLES} | {"results.md", "not_reproduced.md"}


def test_same_results_same_bytes(small, folder, tmp_path):
    write(small, tmp_path, resamples=20)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_the_tables_are_those_of_the_published_form(results, tmp_path, monkeypatch, differences):
    """The digest is of the tables that an earlier version of the code wrote."""
    monkeypatch.setattr(output, "plots", lambda *_: {})
    write(results, tmp_path, resamples=20)
    assert differences(tmp_path, Path(__file__).with_name("made_up.json")) == []


def test_no_older_figure_stays(small, tmp_path, monkeypatch):
    monkeypatch.setattr(output, "plots", lambda *_: {"figure_2": None, "figure_4": Figure()})
    for name in ("figure_2", "figure_4"):
        (tmp_path / f"{name}.png").write_bytes(b"old")
    page = write(small, tmp_path, resamples=5).read_text(encoding="utf-8")
    assert not (tmp_path / "figure_2.png").exists()
    assert "Figure 2:" not in page
    assert "Figure 4:" in page
    assert (tmp_path / "figure_4.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_drawn_of_what_was_not_measured(results):
    found = quantities(results, resamples=5)
    tables = {"guards": guard_table(results, found), "roc": pd.DataFrame(), "risk_coverage": pd.DataFrame()}
    bare = dataclasses.replace(results, examples={})
    drawn = plots(bare, {**tables, "guards": tables["guards"].assign(pair=np.nan).fillna({"pair": 0})})
    assert set(drawn) == set(FIGURES)
    assert all(figure is None for figure in drawn.values())
    assert {name for name, figure in plots(results, tables).items() if figure} == set(FIGURES[:3])


def test_pages_say_what_the_files_say(folder):
    row = next(
        row
        for row in _rows(folder, "guards")
        if row["knows_guard"] and row["target"] == "SegNet" and row["strength"] == "1" and row["pair"] == "13"
    )
    estimate, low, high = (float(row[f"accepted_and_bad{end}"]) for end in ("", "_low", "_high"))
    markdown = (folder / "results.md").read_text(encoding="utf-8")
    assert f"| {estimate:.3f} [{low:.3f},\N{NO-BREAK SPACE}{high:.3f}] |" in markdown
    for claim in _rows(folder, "claims"):
        assert f"| {claim['text']} | {claim['verdict_brain']} | {claim['verdict_whole']} |" in markdown
    detection = next(
        row
        for row in _rows(folder, "detection")
        if (row["detector"], row["target"], row["type"], row["support"]) == ("UNet shifted", "mean", "A+B+C", "brain")
    )
    line = next(line for line in markdown.splitlines() if line.startswith("| UNet shifted |"))
    assert f"{float(detection['auc']):.3f}" in line
    assert line.endswith("| 0.981 |")


def test_every_caption_names_slices_subjects_seed_date_and_command(small, folder):
    markdown = (folder / "results.md").read_text(encoding="utf-8")
    captions = re.findall(r"^\*(?!\*).*\*$", markdown, flags=re.MULTILINE)
    assert len(captions) > 10
    for caption in captions[:-1]:
        assert re.search(r"\d+ (clean|attacked)?.*slices.* of 8 volumes of 6 subjects", caption)
        assert all(small.facts[name] in caption for name in ("preset", "sizes", "date", "command"))
        assert "seed 0" in caption
        assert "20 resamples" in caption


def test_what_did_not_come_out_is_told_with_a_conjecture_on_a_page_of_its_own(folder):
    page = (folder / "not_reproduced.md").read_text(encoding="utf-8")
    told = [row for row in _rows(folder, "claims") if row["verdict_brain"] in ("no", "undecided")]
    assert told
    for row in told:
        section = page.partition(f"\n## {row['text']}: {row['verdict_brain']}\n")[2].partition("\n## ")[0]
        assert f"Conjecture: {row['reason']}" in section
    for row in _rows(folder, "claims"):
        if row["verdict_brain"] == "yes":
            assert row["text"] not in page
    assert "\n## Not measured in this run\n" in page
    link = "](not_reproduced.md)"
    assert link in (folder / "results.md").read_text(encoding="utf-8")
