from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from monai_advdefense.errors import InputError
from monai_advdefense.metrics import Interval, bootstrap_over_subjects, detection_metrics


def test_one_row_for_each_subject_is_the_ordinary_bootstrap():
    values = np.random.default_rng(0).exponential(size=40)
    ours = bootstrap_over_subjects(np.mean, np.arange(40), values, resamples=4000)
    theirs = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", random_state=1).confidence_interval
    assert ours.estimate == values.mean()
    # The ends of two independent draws of 4000 differ by about 0.01.
    assert ours.low == pytest.approx(theirs.low, abs=0.04)
    assert ours.high == pytest.approx(theirs.high, abs=0.04)


def test_copies_of_rows_within_subjects_do_not_narrow_the_interval():
    values = np.random.default_rng(1).normal(size=15)
    once = bootstrap_over_subjects(np.mean, np.arange(15), values)
    copied = bootstrap_over_subjects(np.mean, np.repeat(np.arange(15), 30), np.repeat(values, 30))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    naive = bootstrap_over_subjects(np.mean, np.arange(450), np.repeat(values, 30))
    assert naive.high - naive.low < 0.5 * (once.high - once.low)


def test_interval_of_a_mean_has_about_its_confidence():
    generator = np.random.default_rng(2)
    hits = 0
    for seed in range(150):
        means = generator.normal(size=20)
        rows = np.repeat(means, 4) + 0.3 * generator.normal(size=80)
        interval = bootstrap_over_subjects(
            np.mean, np.repeat(np.arange(20), 4), rows, resamples=200, confidence=0.9, seed=seed
        )
        hits += interval.low <= 0 <= interval.high
    # About 0.87 is expected of a percentile interval with 20 subjects; slices taken as independent give 0.5.
    assert 0.79 <= hits / 150 <= 0.96


def test_the_same_seed_gives_the_same_interval_whatever_the_order_and_names_of_subjects():
    values = np.random.default_rng(3).normal(size=30)
    subjects = np.repeat(np.arange(10), 3)
    first = bootstrap_over_subjects(np.mean, subjects, values, seed=5)
    assert first == bootstrap_over_subjects(np.mean, subjects, values, seed=5)
    assert first != bootstrap_over_subjects(np.mean, subjects, values, seed=6)
    order = np.random.default_rng(4).permutation(30)
    shuffled = bootstrap_over_subjects(np.median, [f"sub-{s}" for s in subjects[order]], values[order], seed=5)
    assert shuffled == bootstrap_over_subjects(np.median, subjects, values, seed=5)


def test_rows_of_several_arrays_stay_together():
    subjects = np.repeat(np.arange(6), 5)
    first = np.random.default_rng(5).normal(size=(30, 2))
    interval = bootstrap_over_subjects(lambda a, b: np.abs(a - b).max(), subjects, first, first.copy(), resamples=50)
    assert interval == Interval(0.0, 0.0, 0.0)


def test_resamples_on_which_the_statistic_is_not_defined_are_dropped_and_counted():
    # Only one of three subjects has attacked images: (2/3)^3 of the resamples miss it, (1/3)^3 have no clean image.
    subjects = ["a", "a", "b", "b", "c", "c"]
    attacked = np.array([0, 0, 0, 0, 1, 1])
    scores = np.array([1.0, 2.0, 3.0, 4.0, 3.5, 5.0])

    def roc_area(attacked, scores):
        return detection_metrics(scores[attacked == 0], scores[attacked == 1]).roc_auc

    interval = bootstrap_over_subjects(roc_area, subjects, attacked, scores, resamples=1000)
    assert interval.estimate == pytest.approx(7 / 8)
    assert interval.dropped / 1000 == pytest.approx((8 + 1) / 27, abs=0.06)
    assert 0.75 <= interval.low <= interval.high <= 1

    def mean_of_attacked(attacked, scores):
        return scores[attacked == 1].mean()

    # NumPy warns of the mean of nothing; the count says it once.
    undefined = bootstrap_over_subjects(mean_of_attacked, subjects, attacked, scores, resamples=3000)
    assert undefined.dropped / 3000 == pytest.approx(8 / 27, abs=0.04)
    assert (undefined.low, undefined.high) == (4.25, 4.25)


def test_errors_say_what_is_wrong():
    rows = np.arange(4.0)
    with pytest.raises(InputError, match=r"each of the 3 entries of subjects, found lengths \[4\]"):
        bootstrap_over_subjects(np.mean, [1, 2, 3], rows)
    with pytest.raises(InputError, match=r"found lengths \[\]"):
        bootstrap_over_subjects(np.mean, [1, 2, 3])
    with pytest.raises(InputError, match="at least 2 subjects to resample, found 1"):
        bootstrap_over_subjects(np.mean, ["a"] * 4, rows)
    with pytest.raises(InputError, match="found 0 and 0.95"):
        bootstrap_over_subjects(np.mean, rows, rows, resamples=0)
    with pytest.raises(InputError, match="found 2000 and 95"):
        bootstrap_over_subjects(np.mean, rows, rows, confidence=95)
    with pytest.raises(InputError, match="finite number on all rows, found nan"):
        bootstrap_over_subjects(lambda a: float("nan"), rows, rows)
    twelve = np.arange(12)
    with pytest.raises(InputError, match="finite number on some of 10 resamples, found none"):
        bootstrap_over_subjects(lambda a: 0.0 if np.unique(a).size == 12 else np.nan, twelve, twelve, resamples=10)


def test_a_statistic_that_fails_on_all_rows_is_named():
    def fails(values):
        raise ValueError("needs two classes")

    with pytest.raises(InputError, match="statistic: .+needs two classes"):
        bootstrap_over_subjects(fails, ["a", "b"], [1.0, 2.0])
