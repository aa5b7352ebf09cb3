"""The page of the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.defences.tables import Tables
from experiments.defences.threats import Threat
from experiments.pages.blocks import Section
from experiments.pages.markdown import to_markdown
from experiments.pages.numbers import Numbers
from experiments.pages.texts import texts_beside

__all__ = ["page"]

TEXTS = texts_beside(__file__)


def page(results: Path, threats: Sequence[Threat]) -> str:
    """The page as Markdown, from ``defences.csv`` and ``defences_facts.csv`` in ``results``."""
    tables = Tables(Numbers(results, "defences_facts"), threats)
    sections = [
        Section("Dice", [*TEXTS["introduction"], tables.dice()]),
        Section("What passes", [*TEXTS["passing"], tables.bad()]),
        Section("Structures", [*TEXTS["structures"], tables.structures()]),
        Section("Attackers who know less", [*TEXTS["less"], tables.transfer_and_queries()]),
        Section(
            "More steps", [*(each.format(**tables.lowered()) for each in TEXTS["more_steps"]), tables.more_steps()]
        ),
        Section("Submit a row", TEXTS["submit"]),
    ]
    return to_markdown("Defences and attacks", sections)
