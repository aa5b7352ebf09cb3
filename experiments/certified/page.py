"""The page of the figures of certified segmentation, made from its table."""

from __future__ import annotations

from pathlib import Path

from experiments.pages.blocks import Section, Table
from experiments.pages.markdown import to_markdown
from experiments.pages.numbers import Numbers

__all__ = ["page"]

_INTRODUCTION = (
    "A smoothed network segments by the vote of many noisy passes, and the votes prove a radius for each pixel: no "
    "change of the image inside the brain whose L2 norm is smaller can give that pixel another label, whatever the "
    "attacker knows. Pixels whose votes prove nothing abstain. The method is `certify`, for any network, or the "
    "overlay `certified.json` of the composite bundle.",
    "A norm of 0.1, 0.25 and 0.44 is far below what can be seen: spread over the 10,000 pixels of a brain slice, 0.44 "
    "changes each by 0.4 % of the range of gray values. Certificates hold for every attack of that norm; they say "
    "nothing of larger ones, of blur, contrast or motion, or of attacks that move pixels.",
    "Certified Dice: that of the labels that are certified at the radius; a pixel that is not has no label, which is "
    "an error of its true class. An attacker may give such a pixel any label. The first "
    "row is the network without noise.",
)


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
    table = Table(
        "Certified Dice",
        header,
        rows,
        caption=numbers.caption(words, f"{facts['slices']} slices"),
        source="results/certified.csv",
    )
    return to_markdown("Certified segmentation", [Section("What is proved", [*_INTRODUCTION, table])])
