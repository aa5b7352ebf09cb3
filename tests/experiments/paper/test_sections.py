"""The sections of the page against the tables that they show."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from experiments.pages.blocks import Section, Table
from experiments.paper import output
from experiments.paper.names import COMBINED, GUARDS, MEAN, PAIRS
from experiments.paper.output import write
from experiments.paper.paper_numbers import PaperNumbers, guard_label, target_label
from experiments.paper.quantities import pooled
from experiments.paper.sections import (
    claims,
    count_of_verdicts,
    detection,
    guards,
    in_short,
    informed_attacker,
    not_reproduced,
)
from experiments.tables import CLEAN, select


@pytest.fixture(scope="module")
def numbers(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sections")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "plots", lambda *_: {})
        write(results, folder, resamples=5)
    return PaperNumbers(folder)


def _tables(blocks):
    return {block.title: block for block in blocks if isinstance(block, Table)}


def _cell(table, line, column):
    row = next(row for row in table.rows if row[0] == line)
    return row[list(table.header).index(column)]


@pytest.mark.parametrize("section", [claims, detection, guards, informed_attacker])
def test_every_row_of_every_table_is_as_long_as_its_header(numbers, section):
    tables = _tables(section(numbers)).values()
    assert tables
    for table in tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.header)}
        assert all(isinstance(cell, str) for row in table.rows for cell in row)
        assert (numbers.folder / table.source).is_file()


def test_table_1_has_each_detector_the_informed_attacker_and_the_paper(numbers):
    table = _tables(detection(numbers))["ROC-AUC at full strength, brain only"]
    assert [row[0] for row in table.rows] == list(numbers.detection["detector"].unique())
    for target in (*numbers.targets, MEAN):
        row = select(numbers.detection, detector="UNet shifted", target=target, attack=pooled()).iloc[0]
        assert _cell(table, "UNet shifted", target) == numbers.cell(row, "auc")
    assert _cell(table, "UNet shifted", "Paper, mean") == "0.981"
    assert _cell(table, "divergence", "Paper, mean") == "–"
    informed = {row[0] for row in table.rows if row[1] != "–"}
    assert informed == set(GUARDS)


def test_table_2_has_no_defence_the_reformers_and_the_pairs(numbers):
    table = _tables(guards(numbers))[f"Table 2, {target_label('UNet')}"]
    names = [row[0] for row in table.rows]
    assert names[0] == "no defence"
    assert [name.partition(":")[0] for name in names[-len(PAIRS) :]] == [str(n + 1) for n in range(len(PAIRS))]
    here = select(numbers.guards, detector="UNet shifted", reformer="UNet", target="UNet")
    full, clean = select(here, attack=pooled()).iloc[0], select(here, attack=CLEAN).iloc[0]
    line = guard_label(full)
    assert line == "13: UNet shifted → UNet"
    assert _cell(table, line, "Accepted and bad") == numbers.cell(full, "accepted_and_bad")
    assert _cell(table, line, "Clean: cost of the reformer") == numbers.cell(clean, "clean_cost")
    known = select(here, knows_guard="yes", strength=1.0).iloc[0]
    assert _cell(table, line, "Accepted and bad, informed attacker") == numbers.cell(known, "accepted_and_bad")


def test_each_guard_that_is_known_has_its_attacks_beside_none(numbers):
    tables = _tables(informed_attacker(numbers))
    assert list(tables) == [f"Guard {name} → {reformer}" for name, (_, reformer, _) in GUARDS.items()]
    for table in tables.values():
        assert [row[0] for row in table.rows] == ["norm of DAG A", "a third of it", "a tenth of it", "no attack"]
    detector = select(numbers.detection, detector=COMBINED, target=MEAN, knows_guard="yes", strength=1.0).iloc[0]
    table = tables[f"Guard {COMBINED} → UNet denoiser"]
    assert _cell(table, "norm of DAG A", "AUC of the detector, mean") == numbers.cell(detector, "auc")
    assert _cell(table, "no attack", "AUC of the detector, mean") == "–"


def test_verdicts_and_their_count(numbers):
    table = _tables(claims(numbers))["Verdicts"]
    shown = [row[1] for row in table.rows]
    assert shown == list(numbers.table("claims")["verdict_brain"])
    assert f"{shown.count('yes')} yes, {shown.count('no')} no" in count_of_verdicts(numbers)
    bars = _tables(claims(numbers))["Bars set beforehand: ROC-AUC, brain only, mean over the target networks"]
    assert _cell(bars, "UNet shifted, DAG A, γ", "Bar") == "at least 0.95"
    assert _cell(bars, "UNet shifted, DAG C, γ", "Bar") == "–"


def test_what_did_not_come_out_is_told_with_its_comparisons(numbers):
    table = numbers.table("claims")
    failed = table[table["verdict_brain"].isin(["no", "undecided"])]
    notes = {note.title: note for note in not_reproduced(numbers)}
    assert all(isinstance(note, Section) for note in notes.values())
    for row in failed.to_dict("records"):
        note = notes[f"{row['text']}: {row['verdict_brain']}"]
        told = select(numbers.table("comparisons"), claim=row["claim"], setting="brain")
        assert len(note.blocks) == len(told) + 1
        assert note.blocks[-1] == f"Conjecture: {row['reason']}"


def test_the_page_opens_with_what_passes_each_guard(numbers):
    paragraphs = list(in_short(numbers))
    assert len(paragraphs) == 2 + len(GUARDS)
    for name, (_, reformer, _) in GUARDS.items():
        row = select(numbers.guards, detector=name, reformer=reformer, knows_guard="yes", strength=1.0, target=MEAN)
        told = next(words for words in paragraphs if f"guard {name} → {reformer} " in words)
        assert numbers.cell(row.iloc[0], "accepted_and_bad") in told


def test_without_plots_and_attackers_the_sections_are_shorter(results, tmp_path):
    settings = {name: s for name, s in results.settings.items() if s.form == "dag" and s.support == "brain"}
    fewer = dataclasses.replace(results, settings=settings, examples={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "plots", lambda *_: {})
        write(fewer, tmp_path, resamples=5)
    numbers = PaperNumbers(tmp_path)
    assert not list(informed_attacker(numbers))
    assert not list(numbers.picture("figure_2"))
    assert len(list(in_short(numbers))) == 2


def test_rates_by_strength_are_those_of_all_types_together(numbers):
    tables = _tables(detection(numbers))
    for name, title in (("auc", "ROC-AUC"), ("tpr_at_5", "True positive rate at 5 % false positives")):
        table = tables[f"{title} by strength and support, mean over the target networks"]
        assert list(table.header) == ["Detector", "γ, brain only", "γ, whole image"]
        for support, column in (("brain", "γ, brain only"), ("whole", "γ, whole image")):
            wanted = select(numbers.detection, target=MEAN, detector="UNet image", attack=pooled(support=support))
            assert _cell(table, "UNet image", column) == numbers.cell(wanted.iloc[0], name)


def test_the_calibrated_threshold_has_its_own_rates(numbers):
    table = _tables(detection(numbers))["Rates of the calibrated threshold, brain only, mean over the target networks"]
    row = select(numbers.detection, target=MEAN, detector="DenseNet shifted", attack=pooled()).iloc[0]
    assert _cell(table, "DenseNet shifted", "Realized false positives") == numbers.cell(row, "fpr")
    assert _cell(table, "DenseNet shifted", "True positives, γ") == numbers.cell(row, "tpr")


def test_what_is_not_shown_is_linked(numbers):
    for section, files in (
        (claims, ["comparisons"]),
        (detection, ["detection"]),
        (guards, ["guards", "detection"]),
    ):
        words = " ".join(block for block in section(numbers) if isinstance(block, str))
        for name in files:
            assert f"[{name}.csv]({name}.csv)" in words
            assert (numbers.folder / f"{name}.csv").is_file()


def test_a_missed_bar_is_told_with_its_figure_and_a_conjecture():
    """In the published run two were missed."""
    numbers = PaperNumbers(Path(__file__).parents[3] / "docs" / "results" / "paper")
    missed = select(numbers.table("bars"), verdict="missed")
    sections = {section.title: section.blocks for section in not_reproduced(numbers)}
    assert len(missed) == 2
    for row in missed.to_dict("records"):
        blocks = sections[f"ROC-AUC of {row['detector']}, brain only, mean over the target networks: missed"]
        told = f"DAG {row['type']}, γ: {numbers.cell(row, 'auc')}, wanted at least {row['bar']:g}."
        assert told in blocks
        assert blocks[-1] == f"Conjecture: {row['reason']}"
