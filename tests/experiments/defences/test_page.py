from __future__ import annotations

from pathlib import Path

from experiments.defences.page import page
from experiments.defences.threats import THREATS

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_of_the_documentation_is_that_of_its_tables():
    assert page(DOCS / "results", THREATS) == (DOCS / "defences.md").read_text(encoding="utf-8")
