from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.pages.cells import attack_label, cell

DICE = {"dice": 0.5, "dice_low": 0.25, "dice_high": 0.75}


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (DICE, "0.500 [0.250, 0.750]"),
        (DICE | {"dice_dropped": 5.0}, "0.500 [0.250, 0.750]"),
        (DICE | {"dice_dropped": 6.0}, "0.500 [0.250, 0.750]*"),
        (DICE | {"dice_dropped": np.nan}, "0.500 [0.250, 0.750]"),
        ({"dice": 0.5, "dice_low": np.nan, "dice_high": np.nan}, "0.500"),
        ({"dice": 0.5}, "0.500"),
        ({"dice": np.nan}, "–"),
        ({"dice": "not trained"}, "not trained"),
        ({}, "–"),
        (None, "–"),
    ],
)
def test_cell(row, wanted):
    assert cell(row, "dice", 100) == wanted
    if row:
        assert cell(pd.Series(row), "dice", 100) == wanted


@pytest.mark.parametrize(
    ("attack", "wanted"),
    [
        (("dag", "A", 0.5, "brain"), "DAG A, γ/2, brain only"),
        (("dag", "C", 0.25, "whole"), "DAG C, 0.25 γ, whole image"),
        (("noise", "B", 1.0, "brain"), "noise of the norm of DAG B, γ"),
        (("selective_pgd", "UNet shifted", 0.333333, "brain"), "informed attacker of UNet shifted, a third of it"),
        (("selective_pgd", "guard", 0.5, "brain"), "informed attacker of guard, 0.5 of the norm of DAG A"),
        (("xie", "derangement", 1.0, "brain"), "DAG as Xie et al."),
        (("fgsm", "label", 1.0, "brain"), "FGSM, 8/255, brain only"),
        (("pgd", "label", 0.5, "whole"), "PGD, 0.5 of 8/255, whole image"),
        (("corruption", "blur", 1.0, "brain"), "blur"),
        (("clean", "", np.nan, ""), "no attack"),
    ],
)
def test_attack_label(attack, wanted):
    assert attack_label(dict(zip(("form", "type", "strength", "support"), attack, strict=True))) == wanted
    assert attack_label(dict(zip(("form", "target", "strength", "support"), attack, strict=True))) == wanted
