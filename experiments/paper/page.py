"""The page of all results and that of what did not come out, made from the files of numbers alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from experiments.pages.blocks import Block, Section, Table
from experiments.pages.markdown import to_markdown
from experiments.paper.baseline_sections import baselines
from experiments.paper.claim_sections import claims, count_of_verdicts, in_short, not_reproduced
from experiments.paper.detection_sections import detection
from experiments.paper.guard_sections import guards, informed_attacker
from experiments.paper.paper_numbers import PaperNumbers
from experiments.paper.texts import TEXTS

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
        "Baselines": baselines(folder),
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


def _examples(numbers: PaperNumbers) -> Iterator[Block]:
    yield from numbers.picture("figure_2")
    yield from numbers.picture("figure_3")


def _methods(numbers: PaperNumbers) -> Iterator[Block]:
    yield from (f"{subject}: {text}" for subject, text in TEXTS["methods"].items())
    yield Table("About this run", ("What", "Value"), [*numbers.facts.items()], TEXTS["captions"]["about"], "facts.csv")
