"""The pages of all results, of what did not come out and of the baselines, made from the files of numbers alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from experiments.pages.blocks import Block, Section, Table
from experiments.pages.markdown import to_markdown
from experiments.paper.baseline_networks import DEFENCES, PLAIN
from experiments.paper.names import NO_REFORMER
from experiments.paper.paper_numbers import Columns, PaperNumbers
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
from experiments.paper.texts import TEXTS
from experiments.tables import CLEAN

_BASELINES = "Baselines that Park et al. 2020 name, on MALC 2012"
_NOT_REPRODUCED = "What we could not reproduce, and why we think so"


def results_page(folder: Path) -> str:
    """Make the page of all results, to lie in ``folder`` as ``results.md`` beside ``not_reproduced.md``."""
    numbers = PaperNumbers(folder)
    blocks = {
        "In short": in_short(numbers),
        "The informed attacker": informed_attacker(numbers),
        "Claims of the paper": claims(numbers),
        "Detection (Table 1)": detection(numbers),
        "Detector and reformer together (Table 2, Figure 4)": guards(numbers),
        "Baselines": _baselines(folder),
        "Images and spectra (Figures 2 and 3)": _examples(numbers),
        "Attacks and noise": [TEXTS["noise"], TEXTS["elsewhere"]["attacks"]],
        _NOT_REPRODUCED: ["[On a page of its own](not_reproduced.md)."],
        "How it was measured": _methods(numbers),
    }
    sections = [Section(title, list(content)) for title, content in blocks.items()]
    return to_markdown(TEXTS["title"], [section for section in sections if section.blocks])


def not_reproduced_page(folder: Path) -> str:
    """Make the page of what did not come out, to lie in ``folder`` as ``not_reproduced.md``."""
    numbers = PaperNumbers(folder)
    made_of = f"{numbers.captioned('claims', numbers.pooled_slices)}."
    opening = Section("In short", [count_of_verdicts(numbers), "[All results](results.md).", made_of])
    return to_markdown(_NOT_REPRODUCED, [opening, *not_reproduced(numbers)])


def baselines_page(folder: Path) -> str:
    """Make the page of the baselines from the files of numbers in ``folder``, to lie there as ``baselines.md``."""
    about = _about(PaperNumbers(folder, "baselines_facts"), "baselines_facts")
    subjects = ("Data", "Attack", "Dice", "Accepted and bad", "Intervals")
    methods = [f"{subject}: {TEXTS['methods'][subject]}" for subject in subjects]
    sections = [Section("Baselines", list(_baselines(folder))), Section("How it was measured", [*methods, about])]
    return to_markdown(_BASELINES, sections)


def _baselines(folder: Path) -> Iterator[Block]:
    """The section of the page; nothing where ``folder`` has no baselines."""
    if not (folder / "baselines.csv").is_file():
        return
    numbers = PaperNumbers(folder, "baselines_facts")
    table = numbers.table("baselines")
    against = {
        name: f"the {'plain' if network == PLAIN else 'defended'} network" for name, (network, _) in DEFENCES.items()
    }
    table = table.assign(
        against=table["defence"].map(against), defence=table["defence"].replace(NO_REFORMER, "no defence")
    )
    other = [name for name in table["attack"].unique() if name != CLEAN and not name.startswith("dag_")]
    shown = {name: name.partition("_")[0].upper() for name in (pooled(), *other)}
    columns: Columns = {
        "Attacks made against": ({}, "against"),
        **{f"Accepted and bad, {form}": ({"attack": name}, "accepted_and_bad") for name, form in shown.items()},
        **{f"Dice, {form}": ({"attack": name}, "dice") for name, form in shown.items()},
        "Clean: Dice": ({"attack": CLEAN}, "dice"),
        "Clean: cost": ({"attack": CLEAN}, "clean_cost"),
        "Coverage": ({"attack": pooled()}, "coverage"),
    }
    yield from TEXTS["baselines"]
    title, lines = "Baselines at full strength", ("Defence", "defence")
    yield numbers.compared(title, table, lines, columns, source="baselines", slices=numbers.single_slices)
    yield TEXTS["elsewhere"]["baselines"]


def _examples(numbers: PaperNumbers) -> Iterator[Block]:
    yield from numbers.picture("figure_2")
    yield from numbers.picture("figure_3")


def _methods(numbers: PaperNumbers) -> Iterator[Block]:
    yield from (f"{subject}: {text}" for subject, text in TEXTS["methods"].items())
    yield _about(numbers, "facts")


def _about(numbers: PaperNumbers, source: str) -> Table:
    rows = list(numbers.facts.items())
    return Table("About this run", ("What", "Value"), rows, TEXTS["captions"]["about"], f"{source}.csv")
