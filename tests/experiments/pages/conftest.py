from __future__ import annotations

import pytest

from experiments.pages.blocks import Picture, Section, Table


@pytest.fixture
def sections():
    """A page with one of every kind of block."""
    return [
        Section(
            "First & last",
            [
                "Words with <tags>.",
                Table(
                    "Numbers",
                    ("Name", "Value", "Verdict"),
                    [("a", "0.5 [0.1, 0.9]", "yes")],
                    "Made of 2 slices.",
                    "n.csv",
                ),
                Picture("Curve", "curve", "A curve rising.", "Made of 4 slices."),
                "0.5 [0.1, 0.9]* against 0.4 [0.1, 0.8]*.",
            ],
        )
    ]
