from __future__ import annotations

from pathlib import Path

import pytest

from experiments.paper.page import baselines_page, not_reproduced_page, results_page

PUBLISHED = Path(__file__).parents[3] / "docs" / "results" / "paper"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("results.md", results_page),
        ("not_reproduced.md", not_reproduced_page),
        ("baselines.md", baselines_page),
    ],
)
def test_the_published_page_is_that_of_the_published_tables(name, make):
    # Not compared by pytest: the difference of two long pages takes minutes.
    same = make(PUBLISHED) == (PUBLISHED / name).read_text(encoding="utf-8")
    assert same, f"{name} is not what the tables beside it give"
