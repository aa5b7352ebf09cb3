from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.paper.names import MEAN
from experiments.paper.paper_numbers import INFORMED, PaperNumbers, guard_label, target_label
from experiments.paper.texts import TEXTS
from experiments.tables import write_tables

FACTS = {
    **{"command": "run", "date": "2026-01-31", "volumes": "8", "subjects": "6", "seed": "0", "resamples": "100"},
    "clean_slices": "24",
}
_DAG = {"form": "dag", "type": "A+B+C", "strength": 1.0, "support": "brain"}


def _guard(pair, detector, reformer, target, **others):
    names = {"pair": pair, "detector": detector, "reformer": reformer, "target": target}
    return {**names, **_DAG, "slices": 72, **others}


@pytest.fixture
def numbers(tmp_path):
    guards = [
        _guard(np.nan, "none", "none", "UNet", dice=0.1),
        _guard(13, "UNet shifted", "UNet", "UNet", dice=0.5, dice_low=0.4, dice_high=0.6),
        _guard(13, "UNet shifted", "UNet", MEAN, dice=0.25),
        _guard(13, "UNet shifted", "UNet", MEAN, dice=0.75),
    ]
    detection = [
        {"detector": name, "target": target, **_DAG, "auc": auc, "knows_guard": ""}
        for name, target, auc in (("UNet shifted", "UNet", 0.9), ("UNet shifted", MEAN, 0.8), ("divergence", MEAN, 0.7))
    ]
    tables = {"guards": pd.DataFrame(guards), "detection": pd.DataFrame(detection)}
    write_tables({"facts": FACTS, **tables}, tmp_path)
    return PaperNumbers(tmp_path)


def test_each_line_has_the_first_row_that_fits_each_column(numbers):
    columns = {"UNet": ({"target": "UNet"}, "dice"), "Mean": ({"target": MEAN}, "dice")}
    table = numbers.compared("T", numbers.guards, ("Guard", "guard"), columns, source="guards", slices="9 slices")
    assert list(table.header) == ["Guard", "UNet", "Mean"]
    assert [list(row) for row in table.rows] == [
        ["no defence", "0.100", "–"],
        ["13: UNet shifted → UNet", "0.500 [0.400, 0.600]", "0.250"],
    ]


def test_a_table_has_the_words_of_its_file_or_others_and_the_slices(numbers):
    one, other = (
        numbers.compared("T", numbers.guards, ("Guard", "guard"), {}, source="guards", slices="9 slices", caption=name)
        for name in (None, "informed")
    )
    assert (one.source, other.source) == ("guards.csv", "guards.csv")
    for table, name in ((one, "guards"), (other, "informed")):
        assert table.caption.startswith(f"{TEXTS['captions'][name]} 9 slices of 8 volumes of 6 subjects")


def test_detectors_stand_beside_what_the_paper_has_for_them(numbers):
    columns = {"Ours": ({"target": MEAN}, "auc"), "Paper": ({}, "paper"), "Informed": (INFORMED, "auc")}
    lines = ("Detector", "detector")
    table = numbers.compared("T", numbers.detection, lines, columns, source="detection", slices="9 slices")
    assert [list(row) for row in table.rows] == [
        ["UNet shifted", "0.800", "0.981", "–"],
        ["divergence", "0.700", "–", "–"],
    ]


def test_slices_are_counted_for_all_attacks_and_for_each(numbers):
    assert numbers.pooled_slices == "24 clean and 72 attacked slices"
    assert numbers.single_slices == "24 clean slices and as many under each attack"
    assert numbers.targets == ["UNet"]


def test_a_picture_is_shown_if_it_is_there(numbers):
    assert list(numbers.picture("roc")) == []
    (numbers.folder / "roc.png").write_bytes(b"")
    [picture] = numbers.picture("roc")
    assert (picture.title, picture.text) == tuple(TEXTS["pictures"]["roc"])
    assert "24 clean and 72 attacked slices" in picture.caption


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"pair": np.nan, "detector": "none", "reformer": "none"}, "no defence"),
        ({"pair": np.nan, "detector": "none", "reformer": "Autoencoder I"}, "all accepted → AE I"),
        ({"pair": 2.0, "detector": "Autoencoder I", "reformer": "Autoencoder II"}, "2: AE I → AE II"),
    ],
)
def test_guard_label(row, wanted):
    assert guard_label(row) == wanted


def test_target_label():
    assert [target_label(name) for name in (MEAN, "SegNet")] == ["mean over the target networks", "SegNet target"]
