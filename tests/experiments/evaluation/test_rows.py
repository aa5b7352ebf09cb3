from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.evaluation.rows import claim_table
from experiments.tables import read_table

PARTS = {"dice": 0.80, "auc_A": 0.95, "auc_B": 0.95, "false_positive_rate": 0.05, "difference": -0.03, "recovered": 0.5}


def _claims(**changed):
    values = PARTS | changed
    segmenters = pd.DataFrame([{"network": "UNet", "structure": "mean", "dice": values["dice"]}])
    guard = pd.DataFrame([{name: values[name] for name in ("false_positive_rate", "difference")}])
    attacks = pd.DataFrame(
        [
            {
                "form": "dag",
                "target": kind,
                "strength": strength,
                "support": "brain",
                "auc_spectral": values[f"auc_{kind}"] if strength == 1 else 0.0,
                "recovered": values["recovered"] if strength == 1 else 0.0,
            }
            for strength in (0.5, 1.0)
            for kind in "AB"
        ]
    )
    return claim_table(segmenters, guard, attacks)["verdict"].tolist()


def test_figures_that_just_reach_their_bars_meet_them():
    assert _claims() == ["met"] * 6


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("dice", 0.79, 0),
        ("auc_A", 0.94, 1),
        ("auc_B", 0.94, 2),
        ("false_positive_rate", 0.009, 3),
        ("false_positive_rate", 0.13, 3),
        ("difference", -0.031, 4),
        ("recovered", 0.49, 5),
    ],
)
def test_each_bar_is_missed_by_its_own_figure(name, value, place):
    verdicts = _claims(**{name: value})
    assert verdicts[place] == "missed"
    assert verdicts.count("met") == 5


def test_what_is_nan_was_not_measured():
    assert _claims(recovered=np.nan) == ["met"] * 5 + ["not measured"]


def test_the_published_claims_follow_from_the_published_tables():
    folder = Path(__file__).parents[3] / "docs" / "results"
    tables = [read_table(folder / f"{name}.csv") for name in ("segmenters", "guard", "attacks")]
    found, published = claim_table(*tables), read_table(folder / "claims.csv")
    pd.testing.assert_frame_equal(found, published, check_dtype=False, atol=1e-6)
