"""Baselines: their table, their section of the page of results, and a page of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.pages.blocks import Block, Section, Table
from experiments.pages.markdown import to_markdown
from experiments.pages.numbers import Numbers
from experiments.paper.baseline_networks import DEFENCES, PLAIN
from experiments.paper.names import NO_DETECTOR, NO_REFORMER
from experiments.paper.paper_numbers import labels
from experiments.paper.quantities import Quantities, pooled
from experiments.paper.results import Results
from experiments.paper.rows import setting_columns
from experiments.paper.texts import TEXTS
from experiments.tables import CLEAN, quantity_columns

TITLE = "Baselines that Park et al. 2020 name, on MALC 2012"
_NAMES = {defence: "no defence" if defence == NO_REFORMER else defence for defence in DEFENCES}


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
    numbers = Numbers(folder, "baselines_facts")
    slices = f"{numbers.facts['clean_slices']} clean slices and as many under each attack"
    caption = numbers.caption(TEXTS["captions"]["baselines"], slices)
    attacks = {name: label for name, label in labels(numbers.table("baselines")).items() if name != CLEAN}
    yield from TEXTS["baselines"]
    yield _at_full_strength(numbers, attacks, caption)
    yield TEXTS["elsewhere"]["baselines"]


def baselines_page(folder: Path) -> str:
    """Make the page of the baselines from the files of numbers in ``folder``, to lie there as ``baselines.md``."""
    rows = list(Numbers(folder, "baselines_facts").facts.items())
    about = Table("About this run", ("What", "Value"), rows, TEXTS["captions"]["about"], "baselines_facts.csv")
    subjects = ("Data", "Attack", "Dice", "Accepted and bad", "Intervals")
    methods = [f"{subject}: {TEXTS['methods'][subject]}" for subject in subjects]
    sections = [Section("Baselines", list(baselines(folder))), Section("How it was measured", [*methods, about])]
    return to_markdown(TITLE, sections)


def _cells(numbers: Numbers, name: str, attacks: list[str]) -> list[list[str]]:
    return numbers.pivot(numbers.table("baselines"), name, ("defence", list(DEFENCES)), ("attack", attacks))


def _at_full_strength(numbers: Numbers, attacks: Mapping[str, str], caption: str) -> Table:
    """All types of DAG together, and the other attacks."""
    shown = [pooled(), *(name for name in attacks if not name.startswith("dag_"))]
    forms = [name.partition("_")[0].upper() for name in shown]
    parts = (
        ("accepted_and_bad", shown, [f"Accepted and bad, {form}" for form in forms]),
        ("dice", shown, [f"Dice, {form}" for form in forms]),
        ("dice", [CLEAN], ["Clean: Dice"]),
        ("clean_cost", [CLEAN], ["Clean: cost"]),
        ("coverage", [pooled()], ["Coverage"]),
    )
    cells = [_cells(numbers, name, among) for name, among, _ in parts]
    networks = ("the plain network" if network == PLAIN else "the defended network" for network, _ in DEFENCES.values())
    rows = [
        [name, network, *(cell for part in cells for cell in part[line])]
        for line, (name, network) in enumerate(zip(_NAMES.values(), networks, strict=True))
    ]
    header = ("Defence", "Attacks made against", *(head for _, _, heads in parts for head in heads))
    return Table("Baselines at full strength", header, rows, caption, "baselines.csv")
