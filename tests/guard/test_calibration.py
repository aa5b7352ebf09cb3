from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.calibration import (
    finite_scores,
    minimum_scores,
    standardization,
    threshold_at_false_positive_rate,
    threshold_over_domains,
)


@pytest.mark.parametrize(("rate", "needed"), [(0.05, 19), (0.1, 9), (0.01, 99), (0.5, 1), (0.9, 1), (0.3, 3)])
def test_minimum_scores_is_the_smallest_number_that_has_a_threshold(rate, needed):
    assert minimum_scores(rate) == needed
    threshold_at_false_positive_rate(np.arange(needed), rate)
    if needed > 1:
        with pytest.raises(CalibrationError, match=f"at least {needed} scores .* found {needed - 1}:"):
            threshold_at_false_positive_rate(np.arange(needed - 1), rate)


@pytest.mark.parametrize(
    ("number", "rate", "k"),
    [(19, 0.05, 19), (20, 0.05, 20), (99, 0.05, 95), (100, 0.05, 96), (9, 0.1, 9), (199, 0.1, 180)]
    # In floats these products of whole numbers come out above 123, 243, 63 and 3.
    + [(149, 0.18, 123), (299, 0.19, 243), (199, 0.685, 63), (9, 0.7, 3)],
)
def test_threshold_is_the_kth_smallest_score(number, rate, k):
    scores = np.random.default_rng(0).permutation(np.arange(1, number + 1))
    assert threshold_at_false_positive_rate(scores, rate) == k


def test_threshold_is_the_lowest_score_that_keeps_the_rate_counting_the_next_image_as_rejected():
    scores = np.random.default_rng(1).normal(size=137)
    threshold = threshold_at_false_positive_rate(scores, 0.05)
    assert (1 + (scores > threshold).sum()) / 138 <= 0.05
    below = scores[scores < threshold].max()
    assert (1 + (scores > below).sum()) / 138 > 0.05


@pytest.mark.parametrize(("number", "k"), [(19, 19), (30, 30), (100, 96)])
def test_realized_rate_of_exchangeable_scores_keeps_the_promise(number, k):
    draws, rate = 4000, 0.05
    scores = np.random.default_rng(2).standard_cauchy((draws, number + 1))
    exceeded = [row[-1] > threshold_at_false_positive_rate(row[:-1], rate) for row in scores]
    # For continuous scores the probability is exactly this, never above the rate.
    expected = (number + 1 - k) / (number + 1)
    assert expected <= rate
    assert abs(np.mean(exceeded) - expected) < 4 * math.sqrt(expected * (1 - expected) / draws)


def test_tied_scores_only_lower_the_realized_rate():
    scores = np.random.default_rng(3).integers(0, 4, (2000, 40))
    exceeded = [row[-1] > threshold_at_false_positive_rate(row[:-1], 0.05) for row in scores]
    assert np.mean(exceeded) <= 0.05


def test_scores_may_be_a_tensor_and_the_threshold_is_one_of_them():
    scores = torch.rand(50, requires_grad=True)
    threshold = threshold_at_false_positive_rate(scores, 0.1)
    assert threshold in scores.detach().double().tolist()
    assert torch.tensor(threshold, dtype=torch.float32).item() == threshold
    assert threshold == threshold_at_false_positive_rate(scores.detach().numpy(), 0.1)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 5, float("nan"), "much", None])
def test_rate_out_of_range_is_an_error(rate):
    with pytest.raises(InputError, match="false_positive_rate: expected a number between 0 and 1"):
        threshold_at_false_positive_rate(np.arange(100), rate)
    with pytest.raises(InputError, match="false_positive_rate"):
        minimum_scores(rate)


def test_scores_that_are_not_finite_are_counted():
    scores = np.arange(30.0)
    scores[[3, 7, 9]] = np.nan, np.inf, -np.inf
    with pytest.raises(InputError, match="scores: expected finite numbers, found 3 of 30 NaN or infinite"):
        threshold_at_false_positive_rate(scores, 0.05)


def test_scores_with_several_axes_are_an_error():
    with pytest.raises(InputError, match=r"\(N,\), found shape \(2, 3\)"):
        finite_scores(np.zeros((2, 3)))


def test_threshold_over_domains_keeps_the_rate_in_each():
    generator = np.random.default_rng(4)
    domains = {"low": generator.normal(0, 1, 200), "high": generator.normal(3, 1, 60)}
    threshold = threshold_over_domains(domains, 0.05)
    assert threshold == threshold_at_false_positive_rate(domains["high"], 0.05)
    assert all((scores > threshold).mean() <= 0.05 for scores in domains.values())


def test_a_domain_with_too_few_scores_is_named():
    with pytest.raises(CalibrationError, match="domain 'template': expected at least 19 .* 0.05, found 5:"):
        threshold_over_domains({"scans": np.arange(100), "template": np.arange(5)}, 0.05)
    with pytest.raises(CalibrationError, match="at least one domain, found none"):
        threshold_over_domains({}, 0.05)


def test_standardized_scores_have_mean_0_and_deviation_1_in_each_kind():
    generator = np.random.default_rng(5)
    scores = generator.normal([3, -200, 1e-3], [2, 50, 1e-4], (400, 3))
    center, scale = standardization(scores)
    standardized = (scores - center) / scale
    np.testing.assert_allclose(standardized.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose((standardized**2).sum(0), 399)


def test_standardization_does_not_depend_on_the_order_or_the_container():
    scores = np.random.default_rng(6).lognormal(size=(1000, 2))
    expected = standardization(scores)
    for other in (scores[::-1], torch.from_numpy(scores).requires_grad_(), scores.tolist()):
        for found, value in zip(standardization(other), expected, strict=True):
            np.testing.assert_array_equal(found, value)


def test_a_threshold_of_the_sums_of_standardized_scores_keeps_the_rate():
    generator = np.random.default_rng(7)

    def sums(scores):
        return ((scores - center) / scale).sum(1)

    exceeded = []
    for _ in range(300):
        scores = generator.lognormal(size=(220, 2))
        # Nothing but the calibration slices fixes center, scale and threshold.
        center, scale = standardization(scores[:120])
        threshold = threshold_at_false_positive_rate(sums(scores[:120]), 0.1)
        exceeded.append((sums(scores[120:]) > threshold).mean())
    # Center and scale of the same slices make the sums a little less than exchangeable with new ones.
    assert abs(np.mean(exceeded) - 0.1) < 0.01


@pytest.mark.parametrize(
    ("scores", "error", "message"),
    [
        ([], CalibrationError, "at least 2 images, found 0"),
        ([[1.0, 2.0]], CalibrationError, "at least 2 images, found 1"),
        (
            [[0.1, 1.0], [0.1, 2.0], [0.1, 3.0]],
            CalibrationError,
            "kind 0: expected different ones, found 0.1 for all 3",
        ),
        ([[1.0, 1.0], [2.0, np.nan], [3.0, np.inf]], InputError, "kind 1: expected finite numbers, found 2 of 3"),
        ([1.0, 2.0], InputError, r"\(N, S\), found shape \(2,\)"),
    ],
)
def test_scores_that_cannot_be_standardized_are_an_error(scores, error, message):
    with pytest.raises(error, match=message):
        standardization(scores)
