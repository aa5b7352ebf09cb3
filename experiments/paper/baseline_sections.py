"""Baselines: their rows, their section of the page of results, and a page of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.paper.baseline_trainings import DEFENCES, PLAIN
from experiments.paper.blocks import Block, Section, Table, to_html, to_markdown
from experiments.paper.cells import attack_name, pivot, read_rows
from experiments.paper.page_numbers import FULL, attacks_among, caption
from experiments.paper.page_texts import BASELINES, CAPTIONS, METHODS
from experiments.paper.quantities import NO_DETECTOR, Quantities
from experiments.paper.results import CLEAN, NO_REFORMER, Results
from experiments.paper.tables import Row, columns, number, setting_columns

__all__ = ["baseline_rows", "baselines", "baselines_html", "baselines_markdown"]

TITLE = "Baselines that Park et al. 2020 name, on MALC 2012"


def baseline_rows(results: Results, found: Quantities) -> list[Row]:
    """Each defence on clean slices and under each attack.

    ``attacked`` names the network that the attack was made against, ``white_box`` whether that is all there is to
    attack. ``norm`` and ``flipped`` are means over the slices, before Defense-GAN.

    Args:
        results: see :func:`~experiments.paper.baselines.collect_baselines`.
        found: the figures of these results.
    """
    rows = []
    for defence, (network, reformer) in DEFENCES.items():
        for group in (CLEAN, *found.groups):
            setting, attacks = (None, (CLEAN,)) if group == CLEAN else found.groups[group]
            attacked = {
                name: number(float(np.mean([values[defence, attack] for attack in attacks])))
                for name, values in (("norm", results.norm), ("flipped", results.flipped))
                if CLEAN not in attacks
            }
            rows.append(
                {
                    "defence": defence,
                    "attacked": "" if setting is None else network,
                    "white_box": "" if setting is None or reformer != NO_REFORMER else "yes",
                    **setting_columns(setting),
                    "slices": str(len(results.subject) * len(attacks)),
                    **attacked,
                    **columns(found.guards[NO_DETECTOR, defence, PLAIN, group]),
                }
            )
    return rows


def baselines(folder: Path) -> Iterator[Block]:
    """The section of the page; nothing where ``folder`` has no baselines."""
    if not (folder / "baselines.csv").is_file():
        return
    yield from BASELINES
    yield from _tables(folder)


def baselines_markdown(folder: Path) -> str:
    """The page of the baselines as Markdown, made from the files of numbers in ``folder``."""
    return to_markdown(TITLE, _sections(folder))


def baselines_html(folder: Path) -> str:
    """The page of the baselines as one HTML file."""
    facts = read_rows(folder / "baselines_facts.csv")[0]
    return to_html(TITLE, _sections(folder), folder, date=facts["date"], command=facts["command"])


def _sections(folder: Path) -> list[Section]:
    rows = list(read_rows(folder / "baselines_facts.csv")[0].items())
    about = Table("About this run", ("What", "Value"), rows, CAPTIONS["about"], "baselines_facts.csv", names=2)
    methods = [
        f"{subject}: {METHODS[subject]}" for subject in ("Data", "Attack", "Dice", "Accepted and bad", "Intervals")
    ]
    return [Section("Baselines", list(baselines(folder))), Section("How it was measured", [*methods, about])]


def _tables(folder: Path) -> Iterator[Table]:
    rows, facts = read_rows(folder / "baselines.csv"), read_rows(folder / "baselines_facts.csv")[0]
    resamples = int(facts["resamples"])
    clean, *attacks = attacks_among(rows)
    shown = [FULL, *(attack for attack in attacks if attack["form"] != "dag")]
    lines = [{"defence": defence} for defence in DEFENCES]
    words = caption(facts, "baselines", f"{facts['clean_slices']} clean slices and as many under each attack")

    def cells(name: str, among: list[Row]) -> list[list[str]]:
        return pivot(rows, name, lines, among, resamples)

    parts = (
        (tuple(f"Accepted and bad, {attack['form'].upper()}" for attack in shown), cells("accepted_and_bad", shown)),
        (tuple(f"Dice, {attack['form'].upper()}" for attack in shown), cells("dice", shown)),
        (("Clean: Dice",), cells("dice", [clean])),
        (("Clean: cost",), cells("clean_cost", [clean])),
        (("Coverage",), cells("coverage", [FULL])),
    )
    names = {defence: "no defence" if defence == NO_REFORMER else defence for defence in DEFENCES}
    networks = ("the plain network" if network == PLAIN else "the defended network" for network, _ in DEFENCES.values())
    table = [
        [name, network, *(cell for _, part in parts for cell in part[line])]
        for line, (name, network) in enumerate(zip(names.values(), networks, strict=True))
    ]
    header = ("Defence", "Attacks made against", *(column for headers, _ in parts for column in headers))
    yield Table("Baselines at full strength", header, table, words, "baselines.csv", names=2)
    for figure, title in (("dice", "Dice"), ("accepted_and_bad", "Accepted and bad"), ("norm", "Mean L2 norm")):
        table = [[name, *found] for name, found in zip(names.values(), cells(figure, attacks), strict=True)]
        header = ("Defence", *map(attack_name, attacks))
        yield Table(f"{title} by attack, baselines", header, table, words, "baselines.csv", folded=True)
