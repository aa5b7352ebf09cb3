from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.metrics import accepted_and_bad, coverage, detection_metrics, rejection_rate


@pytest.mark.parametrize("decimals", [6, 0])
def test_roc_area_is_the_chance_that_an_attacked_image_scores_higher(decimals):
    generator = np.random.default_rng(0)
    clean = generator.normal(0, 1, 70).round(decimals)
    attacked = generator.normal(1, 1, 50).round(decimals)
    area = detection_metrics(clean, attacked).roc_auc
    assert area == pytest.approx(mannwhitneyu(attacked, clean).statistic / (70 * 50))
    assert area == pytest.approx(roc_auc_score([0] * 70 + [1] * 50, np.concatenate([clean, attacked])))


@pytest.mark.parametrize("decimals", [6, 0])
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 1.0])
def test_true_positive_rate_is_the_best_of_all_thresholds_that_keep_the_rate(decimals, rate):
    generator = np.random.default_rng(1)
    clean = generator.normal(0, 1, 60).round(decimals)
    attacked = generator.normal(1, 1, 40).round(decimals)
    thresholds = [-np.inf, *clean, *attacked]
    best = max((attacked > t).mean() for t in thresholds if (clean > t).mean() <= rate)
    assert detection_metrics(clean, attacked, false_positive_rate=rate).true_positive_rate == pytest.approx(best)


def test_a_tie_in_the_middle_of_a_straight_piece_of_the_curve_is_found():
    # Both scores in step: the curve is the diagonal, whose inner points a plain ROC curve leaves out.
    scores = np.arange(20.0)
    assert detection_metrics(scores, scores, false_positive_rate=0.25).true_positive_rate == 0.25


def test_rates_at_a_threshold():
    metrics = detection_metrics(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([2.0, 3.0, 9.0]), threshold=3.0)
    assert metrics.realized_false_positive_rate == 0.25
    assert metrics.realized_true_positive_rate == pytest.approx(1 / 3)
    without = detection_metrics([1.0], [2.0])
    assert without.realized_false_positive_rate is None
    assert without.realized_true_positive_rate is None


@pytest.mark.parametrize("threshold", [math.nan, math.inf])
def test_a_threshold_that_is_not_calibrated_is_an_error(threshold):
    with pytest.raises(CalibrationError, match="threshold: expected a finite number"):
        rejection_rate([1.0], threshold)
    with pytest.raises(CalibrationError, match="calibrate the detector first"):
        detection_metrics([1.0], [2.0], threshold=threshold)


def test_bad_scores_and_rates_are_errors():
    with pytest.raises(InputError, match="attacked_scores: expected at least one image, found none"):
        detection_metrics([1.0], [])
    with pytest.raises(InputError, match="clean_scores: expected finite numbers, found 1 of 2"):
        detection_metrics([1.0, math.nan], [1.0])
    with pytest.raises(InputError, match="false_positive_rate: expected a number from 0 to 1, found 5"):
        detection_metrics([1.0], [2.0], false_positive_rate=5)


def test_coverage_is_the_share_of_accepted_images():
    assert coverage([True, False, False, True, True]) == 0.6
    assert coverage(torch.tensor([False, False])) == 0


@pytest.mark.parametrize("wrong", [[1, 0], [0.2, 0.7], [[True, False]]])
def test_decisions_must_be_boolean(wrong):
    with pytest.raises(InputError, match="accepted: expected booleans"):
        coverage(wrong)
    with pytest.raises(InputError, match="accepted: expected at least one image"):
        coverage([])


def test_accepted_and_bad_counts_only_what_is_both():
    clean = torch.tensor([0.9, 0.9, 0.9, 0.5, 0.9])
    attacked = torch.tensor([0.1, 0.1, 0.85, 0.9, 0.7])
    accepted = torch.tensor([True, False, True, True, True])
    assert accepted_and_bad(accepted, clean, attacked) == pytest.approx(2 / 5)
    assert accepted_and_bad(accepted, clean, attacked, drop=0.5) == pytest.approx(1 / 5)
    assert accepted_and_bad(torch.zeros(5, dtype=torch.bool), clean, attacked) == 0


def test_a_dice_that_falls_by_just_as_much_as_allowed_is_not_bad():
    assert accepted_and_bad([True, True], [0.5, 0.5], [0.25, 0.125], drop=0.25) == 0.5


def test_an_undefined_dice_counts_as_right():
    nan = math.nan
    # Invented structure: bad. Nothing found in an empty slice, before and after: not bad. Cured: not bad.
    assert accepted_and_bad([True], [nan], [0.0]) == 1
    assert accepted_and_bad([True, True], [nan, 0.0], [nan, nan]) == 0


def test_accepted_and_bad_refuses_what_it_cannot_compare():
    with pytest.raises(InputError, match="found lengths 2, 2, 1"):
        accepted_and_bad([True, True], [0.5, 0.5], [0.5])
    with pytest.raises(InputError, match="dice_attacked: expected Dice from 0 to 1, found 50 to 90"):
        accepted_and_bad([True, True], [0.5, 0.5], [50.0, 90.0])
    with pytest.raises(InputError, match="dice_clean: expected finite numbers, found 1 of 1"):
        accepted_and_bad([True], [math.inf], [0.5])
