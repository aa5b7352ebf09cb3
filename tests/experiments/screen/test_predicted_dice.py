from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.screen.judged import judge_whole
from experiments.screen.predicted_dice import predicted_dice_columns
from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.metrics import dice_from_counts
from tests.experiments.screen.phantom_examined import examined
from tests.guard.phantom_screen import fitted_screen

SUBJECTS = ("a", "b", "c")


def _columns(change):
    """Of three volumes of which the true Dice is predicted, after a change."""
    screen, volumes = fitted_screen(), [examined(seed) for seed in (40, 41, 42)]
    screened = []
    for volume in volumes:
        true = dice_from_counts(volume.reformed.sum(dim=0))[1:].numpy()
        structures = np.stack([true, true - 0.01, true + 0.01], axis=-1)
        dice = PredictedDice(structures, (true.mean(), true.mean() - 0.01, true.mean() + 0.01))
        screened.append(replace(judge_whole(screen, volume), dice=change(dice)))
    return predicted_dice_columns(volumes, screened, SUBJECTS, 50)


def test_what_is_predicted_exactly_is_covered_and_no_order_is_better():
    row = _columns(lambda dice: dice)
    assert row["dice_coverage"] == row["volume_dice_coverage"] == 1
    assert row["dice_error"] == pytest.approx(0)
    assert row["aurc_gain"] >= 0
    assert row["aurc_gain"] == pytest.approx(row["aurc_entropy"] - row["aurc_dice"])


def test_what_is_predicted_too_high_is_not_covered():
    row = _columns(lambda dice: replace(dice, structures=dice.structures + 0.05))
    assert row["dice_coverage"] == 0
    assert row["volume_dice_coverage"] == 1
    assert row["dice_error"] == pytest.approx(0.05)


def test_without_a_prediction_there_is_no_figure():
    assert _columns(lambda dice: None) == {}
