"""False alarm rates and intervals are what they are said to be; undefined figures are counted, not dropped."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from monai_advdefense.guard.calibration import minimum_scores, threshold_at_false_positive_rate
from monai_advdefense.metrics import bootstrap_over_subjects

RATES = (0.01, 0.05, 0.1)
SIZES = (20, 50, 100, 200, 500)


def test_false_alarms_of_calibrated_thresholds_are_as_asked(full, figure):
    """Exchangeable scores of heavy tails: the rate of the next score is what the rule gives exactly."""
    rng, draws, worst = np.random.default_rng(0), 2000 if full else 300, 0.0
    for size in SIZES:
        for rate in (rate for rate in RATES if size >= minimum_scores(rate)):
            scores = rng.standard_t(2, (draws, size + 1))
            alarms = sum(row[-1] > threshold_at_false_positive_rate(row[:-1], rate) for row in scores)
            # What the rule gives exactly: the next score is among the m largest of n + 1.
            exact = (size + 1 - np.ceil((size + 1) * (1 - rate))) / (size + 1)
            low, high = binom.ppf([0.0005, 0.9995], draws, exact)
            assert exact <= rate
            assert low <= alarms <= high, (size, rate, alarms)
            worst = max(worst, alarms / draws - rate)
    span = f"{SIZES[0]} to {SIZES[-1]} scores"
    figure(f"rates of {draws} calibrations on {span} as asked, by chance at most {100 * worst:.1f} % above")


def test_intervals_over_subjects_hold_the_truth_as_often_as_they_say(full, figure):
    rng, studies, held = np.random.default_rng(1), 400 if full else 60, 0
    subjects = np.repeat(np.arange(40), 5)
    for _ in range(studies):
        values = np.repeat(rng.normal(0.8, 0.1, 40), 5) + rng.normal(0, 0.02, 200)
        interval = bootstrap_over_subjects(np.mean, subjects, values, resamples=300, seed=0)
        held += interval.low <= 0.8 <= interval.high
    low, high = binom.ppf([0.001, 0.999], studies, 0.945)
    assert low <= held <= high
    figure(f"95 % intervals over subjects hold the truth in {100 * held / studies:.0f} % of {studies} studies")


def test_resamples_without_a_figure_are_counted(figure):
    values = np.array([0.0] * 9 + [1.0])

    def ratio(sample):
        return sample.sum() / sample.sum() if sample.sum() else float("nan")

    interval = bootstrap_over_subjects(ratio, np.arange(10), values, resamples=500, seed=0)
    expected = 500 * 0.9**10
    assert abs(interval.dropped - expected) < 5 * np.sqrt(expected)
    figure(f"{interval.dropped} of 500 resamples without a figure counted, {expected:.0f} expected")
