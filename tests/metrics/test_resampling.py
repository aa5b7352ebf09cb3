from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from monai_advdefense.errors import InputError
from monai_advdefense.metrics import (
    SubjectResampling,
    bootstrap_over_subjects,
    detection_metrics,
    mean_of,
    risk_coverage_curve,
)

RESAMPLES, SEED = 60, 3


@pytest.fixture
def rows():
    """Subjects of unequal size, clean scores and two attacked copies of each row, with many ties."""
    rng = np.random.default_rng(1)
    subjects = np.repeat(["c", "a", "d", "b"], [9, 4, 12, 5])
    clean = np.round(rng.normal(0, 1, subjects.size), 1)
    attacked = np.round(clean[:, None] + rng.normal([1.0, 0.5], 1, (subjects.size, 2)), 1)
    return subjects, clean, attacked


@pytest.fixture
def resampling(rows):
    return SubjectResampling(rows[0], resamples=RESAMPLES, seed=SEED)


def _equal(figure, slow):
    fast = figure.interval()
    assert (fast.estimate, fast.low, fast.high) == pytest.approx((slow.estimate, slow.low, slow.high), abs=1e-12)
    assert fast.dropped == slow.dropped


def _slow(statistic, subjects, *arrays):
    return bootstrap_over_subjects(statistic, subjects, *arrays, resamples=RESAMPLES, seed=SEED)


def test_mean_equals_the_slow_bootstrap(rows, resampling):
    subjects, clean, _ = rows
    _equal(resampling.mean(clean), _slow(np.mean, subjects, clean))


def test_mean_leaves_out_what_is_not_known(rows, resampling):
    subjects, clean, _ = rows
    # Known in one subject only, so that some resamples have none of it.
    some = np.where(subjects == "a", clean, np.nan)
    slow = _slow(np.nanmean, subjects, some)
    assert slow.dropped
    _equal(resampling.mean(some), slow)


def test_area_equals_scikit_learn_and_the_slow_bootstrap(rows, resampling):
    subjects, clean, attacked = rows

    def area(clean, attacked):
        truth = np.repeat([0, 1], [clean.size, attacked.size])
        return roc_auc_score(truth, np.concatenate([clean, attacked.ravel()]))

    _equal(resampling.roc_auc(clean, attacked), _slow(area, subjects, clean, attacked))


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.5])
def test_true_positive_rate_equals_the_slow_bootstrap(rows, resampling, rate):
    subjects, clean, attacked = rows

    def found(clean, attacked):
        return detection_metrics(clean, attacked.ravel(), false_positive_rate=rate).true_positive_rate

    fast = resampling.true_positive_rate(clean, attacked, false_positive_rate=rate)
    _equal(fast, _slow(found, subjects, clean, attacked))


def test_true_positive_rate_of_scores_that_are_all_the_same(resampling, rows):
    same = np.zeros(rows[1].size)
    assert resampling.true_positive_rate(same, same).estimate == 0.0
    assert resampling.true_positive_rate(same, same + 1).interval().low == 1.0


def test_area_under_risk_coverage_equals_the_slow_bootstrap(rows, resampling):
    subjects, clean, attacked = rows
    scores = np.column_stack([clean, attacked])
    losses = scores > 0.3

    def area(scores, losses):
        coverage, risk = risk_coverage_curve(scores.ravel(), losses.ravel())
        return float(np.sum(risk * np.diff(coverage, prepend=0.0)))

    _equal(resampling.area_under_risk_coverage(scores, losses), _slow(area, subjects, scores, losses))


def test_differences_are_paired(rows, resampling):
    subjects, clean, attacked = rows
    difference = resampling.mean(attacked[:, 0]) - resampling.mean(clean)
    _equal(difference, _slow(lambda a, b: np.mean(a) - np.mean(b), subjects, attacked[:, 0], clean))
    unpaired = resampling.mean(attacked[:, 0]).interval(), resampling.mean(clean).interval()
    assert difference.interval().high - difference.interval().low < sum(each.high - each.low for each in unpaired)
    assert (resampling.mean(clean) - resampling.mean(clean)).interval() == (resampling.mean(clean * 0)).interval()


def test_rows_of_the_same_subjects_are_drawn_alike():
    first = SubjectResampling(["x", "y", "z"], resamples=30).mean(np.array([1.0, 2.0, 4.0]))
    second = SubjectResampling(["z", "x", "x", "y"], resamples=30).mean(np.array([4.0, 1.0, 1.0, np.nan]))
    third = SubjectResampling(["z", "y", "x"], resamples=30).mean(np.array([4.0, 2.0, 1.0]))
    assert np.allclose(first.values, third.values)
    assert not np.allclose(first.values, second.values)


def test_mean_of_figures(rows, resampling):
    _, clean, attacked = rows
    both = mean_of([resampling.mean(clean), resampling.mean(attacked[:, 0])])
    assert np.allclose(both.values, resampling.mean((clean + attacked[:, 0]) / 2).values)


def test_one_subject_has_no_interval():
    interval = SubjectResampling(["a", "a"], resamples=10).mean(np.array([1.0, 3.0])).interval()
    assert interval.estimate == 2.0
    assert np.isnan([interval.low, interval.high]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda resampling: resampling.mean(np.zeros(3)), "one entry for each of the 30 rows"),
        (lambda resampling: resampling.roc_auc(np.zeros(30), np.full(30, np.nan)), "attacked"),
        (
            lambda resampling: resampling.true_positive_rate(np.zeros(30), np.zeros(30), false_positive_rate=1),
            "below 1",
        ),
        (lambda _: SubjectResampling([]), "at least one row"),
        (lambda _: SubjectResampling(["a"], resamples=0), "one resample"),
    ],
)
def test_wrong_input_is_refused(resampling, call, message):
    with pytest.raises(InputError, match=message):
        call(resampling)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r, x: r.mean(np.where(x > 0.5, np.inf, x)), "values: expected finite"),
        (lambda r, x: r.roc_auc(x[:1], x), "clean: expected one entry for each"),
        (lambda r, x: r.true_positive_rate(x[:1], x), "clean: expected one entry for each"),
        (lambda r, x: r.area_under_risk_coverage(x, x[:1]), "losses: expected the shape of scores"),
        (lambda r, x: r.area_under_risk_coverage(x, np.full(x.shape, np.nan)), "losses: expected finite"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_not_repeated(call, message):
    with pytest.raises(InputError, match=message):
        call(SubjectResampling(list("aabbcc"), resamples=5), np.linspace(0, 1, 6))
