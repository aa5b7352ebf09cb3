"""The page of the figures of certified segmentation, made from its table."""

from __future__ import annotations

from pathlib import Path

from experiments.pages.blocks import Section
from experiments.pages.markdown import to_markdown
from experiments.pages.numbers import Numbers
from experiments.pages.texts import texts_beside

__all__ = ["page"]

TEXTS = texts_beside(__file__)


def page(results: Path) -> str:
    """The page as Markdown, from ``certified.csv`` and ``certified_facts.csv`` in ``results``."""
    numbers = Numbers(results, "certified_facts")
    facts = numbers.facts
    rows = [
        [
            str(row["reformer"]) if row["passes"] else "shipped, no noise",
            f"{row['passes']:.0f}",
            f"{row['radius']:g}",
            numbers.cell(row, "dice_together"),
            numbers.cell(row, "dice"),
            f"{row['abstained']:.3f}",
        ]
        for _, row in numbers.table("certified").iterrows()
    ]
    header = ["Reformer", "Passes", "L2 radius", "Dice, all structures together", "Mean Dice", "Not certified"]
    words = f"Noise of {facts['sigma']} of the range of gray values."
    caption = numbers.caption(words, f"{facts['slices']} slices")
    table = numbers.shown("Certified Dice", header, rows, "certified", caption)
    return to_markdown("Certified segmentation", [Section("What is proved", [*TEXTS["introduction"], table])])
