from __future__ import annotations

import pytest

from experiments.paper.cells import attack_name, cell, pivot

FIGURE = {"dice": "0.5", "dice_low": "0.25", "dice_high": "0.75"}


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (FIGURE, "0.500 [0.250, 0.750]"),
        (FIGURE | {"dice_dropped": "5"}, "0.500 [0.250, 0.750]"),
        (FIGURE | {"dice_dropped": "6"}, "0.500 [0.250, 0.750]*"),
        ({"dice": "0.5", "dice_low": "", "dice_high": ""}, "0.500"),
        ({"dice": ""}, "–"),
        ({}, "–"),
        (None, "–"),
    ],
)
def test_cell(row, wanted):
    assert cell(row, "dice", 100) == wanted


def test_pivot_finds_the_row_of_each_place():
    rows = [
        {"who": who, "what": what, "x": f"{value}"}
        for who, what, value in [("a", "p", 1), ("b", "p", 2), ("b", "q", 3)]
    ]
    table = pivot(rows, "x", [{"who": "a"}, {"who": "b"}], [{"what": "p"}, {"what": "q"}], 10)
    assert table == [["1.000", "–"], ["2.000", "3.000"]]


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (("dag", "A", "0.5", "brain"), "DAG A, γ/2, brain only"),
        (("dag", "C", "0.25", "whole"), "DAG C, 0.25 γ, whole image"),
        (("noise", "B", "1", "brain"), "noise of the norm of DAG B, γ"),
        (("selective_pgd", "UNet shifted", "0.333333", "brain"), "knows UNet shifted, a third of it"),
        (("selective_pgd", "UNet shifted", "0.5", "brain"), "knows UNet shifted, 0.5 of the norm of DAG A"),
        (("xie", "derangement", "1", "brain"), "DAG as Xie et al."),
        (("fgsm", "label", "1", "brain"), "FGSM, 8/255, brain only"),
        (("pgd", "label", "0.5", "whole"), "PGD, 0.5 of 8/255, whole image"),
        (("clean", "", "", ""), "clean"),
    ],
)
def test_attack_name(texts, wanted):
    assert attack_name(dict(zip(("form", "type", "strength", "support"), texts, strict=True))) == wanted
