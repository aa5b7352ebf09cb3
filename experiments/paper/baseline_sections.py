"""Baselines: their table, their section of the page of results, and a page of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.pages.blocks import Block, Section, Table
from experiments.pages.markdown import to_markdown
from experiments.pages.numbers import Numbers
from experiments.paper.baseline_networks import DEFENCES, PLAIN
from experiments.paper.names import NO_DETECTOR, NO_REFORMER
from experiments.paper.paper_numbers import Columns, PaperNumbers
from experiments.paper.quantities import Quantities, pooled
from experiments.paper.results import Results
from experiments.paper.rows import setting_columns
from experiments.paper.texts import TEXTS
from experiments.tables import CLEAN, quantity_columns

TITLE = "Baselines that Park et al. 2020 name, on MALC 2012"


def baseline_table(results: Results, found: Quantities) -> pd.DataFrame:
    """Each defence on clean slices and under each attack.

    ``attacked`` names the network that the attack was made against, ``white_box`` whether that is all there is to
    attack. ``norm`` and ``flipped`` are means over the slices, before Defense-GAN.
    """
    rows = []
    for defence, (network, reformer) in DEFENCES.items():
        for group in (CLEAN, *found.groups):
            setting, attacks = found.groups.get(group, (None, (CLEAN,)))
            attacked = {
                name: float(np.mean([values[defence, attack] for attack in attacks]))
                for name, values in (("norm", results.norm), ("flipped", results.flipped))
                if CLEAN not in attacks
            }
            row = {
                "defence": defence,
                "attacked": "" if setting is None else network,
                "white_box": "" if setting is None or reformer != NO_REFORMER else "yes",
                **setting_columns(setting),
                "slices": len(results.subject) * len(attacks),
            }
            rows.append(row | attacked | quantity_columns(found.guards[NO_DETECTOR, defence, PLAIN, group]))
    return pd.DataFrame(rows)


def baselines(folder: Path) -> Iterator[Block]:
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


def baselines_page(folder: Path) -> str:
    """Make the page of the baselines from the files of numbers in ``folder``, to lie there as ``baselines.md``."""
    rows = list(Numbers(folder, "baselines_facts").facts.items())
    about = Table("About this run", ("What", "Value"), rows, TEXTS["captions"]["about"], "baselines_facts.csv")
    subjects = ("Data", "Attack", "Dice", "Accepted and bad", "Intervals")
    methods = [f"{subject}: {TEXTS['methods'][subject]}" for subject in subjects]
    sections = [Section("Baselines", list(baselines(folder))), Section("How it was measured", [*methods, about])]
    return to_markdown(TITLE, sections)
