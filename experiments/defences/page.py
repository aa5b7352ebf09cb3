"""The tables of the page, and the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from experiments.defences.measured import Attacked, Measured
from experiments.defences.threats import Threat
from experiments.pages.blocks import Section, Table
from experiments.pages.markdown import to_markdown
from experiments.pages.numbers import Numbers
from experiments.tables import Row, quantity_columns
from monai_advdefense.metrics import SubjectResampling

__all__ = ["BAD", "RESAMPLES", "page", "rows_of"]

RESAMPLES = 1000
BAD = 0.1
"""A slice whose Dice has fallen by more is bad."""
_CLEAN = "none"

_INTRODUCTION = (
    "Every attack knows the defence from end to end and changes voxels of the brain alone: Auto-PGD on the soft Dice, "
    "each budget begun where the one before ended. Of all steps on a slice the one with the lowest Dice counts; "
    "of a defence that rejects, the lowest of all that pass, at this or a smaller budget. This is what the attack "
    "reaches at least; more steps reach more.",
    "The budgets in percent of the range of gray values: a norm of 0.44, 1.46 and 4.37 spread over the 10,000 pixels "
    "of a brain slice changes each by 0.4, 1.5 and 4.4 %; 4/255 and 8/255 are 1.6 and 3.1 % of every pixel. Low "
    "frequencies: sums of the 12 slowest cosines along each axis, which look like uneven coils.",
    "One slice of each volume is attacked, that in the middle. Towards the ends, where structures are small, less is "
    "enough: of 48 slices of whole brains 33 % pass the sum of scores ruined at a norm of 0.44, see "
    "[results](results.md).",
    "In passes of a UNet for each slice, no defence costs 1, a reformer 2, with the spectral score 3, with the sum of "
    "scores 4. Training against attacks adds none.",
    "Measured elsewhere: the screen, which judges whole volumes, [attacked by one who knows all of it]"
    "(screen-results.md), and [certified labels](certified-results.md), which no attack within a norm turns.",
)
_ACCEPTED = (
    "The share of slices of which a copy passes whose Dice is more than 0.1 below that of the same slice without an "
    "attack. What rejects nothing accepts everything. In the L2 norm a defence that rejects is attacked by selective "
    "PGD through its score as well; under the other threats the score steers nobody.",
)
_SUBMIT = (
    "A defence is a Python function from the folder of the bundles to a network, from slices `(B, 1, 192, 192)` in "
    "[0, 1] to logits of the 28 classes, differentiable from end to end. A `DefendedSegmenter` may reject.",
    '    python -m experiments.defences --dataset_dir MALC2012 --add "NAME=your_package.your_module:function"',
    "measures it beside the others; what was measured before stays, so give another `--work_dir` where the function "
    "has changed, but not its weights. Send the CSV, the function with its weights, and "
    "their licence. A row is taken if it can be run again and comes out the same. A random defence is measured with "
    "its seed fixed, which flatters it: say so.",
)


def rows_of(name: str, measured: Measured, threats: Sequence[Threat], subjects: Sequence[str]) -> list[Row]:
    """One row without attack and one for each budget of each threat: Dice, coverage, accepted and bad."""
    rows = [_row({"defence": name, "threat": _CLEAN, "budget": 0.0}, measured.clean, measured, subjects)]
    for threat in threats:
        for budget, attacked in zip(threat.budgets, measured.attacked[threat.name], strict=True):
            rows.append(_row({"defence": name, "threat": threat.name, "budget": budget}, attacked, measured, subjects))
    return rows


def _row(names: Row, attacked: Attacked, measured: Measured, subjects: Sequence[str]) -> Row:
    resampling = SubjectResampling(subjects, resamples=RESAMPLES)
    # What does not pass is NaN, which is not below anything.
    bad = attacked.dice < measured.dice - BAD
    quantities = {
        "dice": resampling.mean(attacked.dice),
        "accepted": resampling.mean(attacked.accepted.astype(float)),
        "accepted_and_bad": resampling.mean(bad.astype(float)),
    }
    return {**names, **quantity_columns(quantities)}


def page(results: Path, threats: Sequence[Threat]) -> str:
    """The page as Markdown, from ``defences.csv`` and ``defences_facts.csv`` in ``results``; the best row comes first.

    Rows are sorted by the mean of their Dice over all budgets.
    """
    numbers = Numbers(results, "defences_facts")
    table = numbers.table("defences")
    attacked = table[table["threat"] != _CLEAN]
    names = attacked.groupby("defence")["dice"].mean().sort_values(ascending=False).index.tolist()
    columns = [(threat.name, budget) for threat in threats for budget in threat.budgets]
    keyed = table.assign(column=list(zip(table["threat"], table["budget"].round(4), strict=True)))

    def cells(quantity: str, wanted: Sequence[tuple[str, float]]) -> list[list[str]]:
        places = [(threat, round(budget, 4)) for threat, budget in wanted]
        figures = numbers.pivot(keyed, quantity, ("defence", names), ("column", places))  # type: ignore[arg-type]
        return [[name, *map(_narrow, line)] for name, line in zip(names, figures, strict=True)]

    header = [_heading(*column) for column in columns]
    clean = (_CLEAN, 0.0)
    facts = numbers.facts
    words = f"{facts['split'].capitalize()} split, {facts['steps']} steps of each attack at each budget."
    caption = numbers.caption(words, f"{facts['slices']} slices")
    dice = Table(
        "Mean Dice under the worst attack",
        ["Defence", "no attack", *header],
        cells("dice", [clean, *columns]),
        caption,
        "results/defences.csv",
    )
    bad = Table(
        "Accepted and bad",
        ["Defence", "accepted without attack", *header],
        [
            [*first, *second[1:]]
            for first, second in zip(cells("accepted", [clean]), cells("accepted_and_bad", columns), strict=True)
        ],
        caption,
        "results/defences.csv",
    )
    sections = [
        Section("Dice", [*_INTRODUCTION, dice]),
        Section("What passes", [*_ACCEPTED, bad]),
        Section("Submit a row", _SUBMIT),
    ]
    return to_markdown("Defences and attacks", sections)


def _narrow(cell: str) -> str:
    """The figure above its interval: the columns fit a page then."""
    return re.sub(r" \[(\S+), (\S+)\]", "<br>\\1\N{EN DASH}\\2", cell)


def _heading(threat: str, budget: float) -> str:
    return f"{threat} {255 * budget:.0f}/255" if threat == "L-infinity" else f"{threat} {budget:g}"
