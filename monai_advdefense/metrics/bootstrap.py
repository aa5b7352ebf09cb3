"""Confidence intervals that respect that slices of one subject are not independent."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import UndefinedMetricWarning

from monai_advdefense.messages import broken_rule

__all__ = ["Interval", "bootstrap_over_subjects"]


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval.

    Attributes:
        estimate: the figure on all rows.
        low: lower end of the interval.
        high: upper end of the interval.
        dropped: number of resamples left out because the figure is not defined on them. A large share of the resamples
            means that the interval is not to be trusted.
    """

    estimate: float
    low: float
    high: float
    dropped: int = 0


def bootstrap_over_subjects(
    statistic: Callable[..., float],
    subjects: npt.ArrayLike,
    *arrays: npt.ArrayLike,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic by resampling whole subjects.

    Each resample draws as many subjects as there are, with replacement, and takes all rows of each as often as it was
    drawn. With few subjects such intervals are known to be somewhat too narrow.

    Args:
        statistic: function of the arrays' rows, in their order, to a number. A resample on which it is NaN or infinite
            or raises ``ValueError`` (such as a ROC area without attacked images) is dropped and counted.
        subjects: name or number of each row's subject ``(N,)``.
        *arrays: arrays ``(N, ...)`` that the statistic takes, as NumPy arrays.
        resamples: number of resamples.
        confidence: probability that the interval is to have, between 0 and 1.
        seed: the same seed gives the same interval.

    Raises:
        InputError: if the lengths differ, there are fewer than two subjects, the numbers are out of range, or the
            statistic is not defined on all rows or on any resample.

    Source:
        Davison, Hinkley 1997, "Bootstrap Methods and their Application", section 3.8 (hierarchical data).

    Example:
        >>> bootstrap_over_subjects(np.mean, ["a", "a", "b"], [1.0, 1.0, 1.0])
        Interval(estimate=1.0, low=1.0, high=1.0, dropped=0)
    """
    names, subject_of_row = np.unique(np.asarray(subjects), return_inverse=True)
    columns = [np.asarray(array) for array in arrays]
    _check(names, subject_of_row, columns, resamples, confidence)
    try:
        estimate = float(statistic(*columns))
    except ValueError as error:
        raise broken_rule("statistic", "a finite number on all rows", error, "check the arrays") from error
    if not np.isfinite(estimate):
        raise broken_rule("statistic", "a finite number on all rows", estimate, "check the arrays")
    rows_of_subject = [np.flatnonzero(subject_of_row == number) for number in range(names.size)]
    draws = np.random.default_rng(seed).integers(0, names.size, (resamples, names.size))
    values = np.array([_value(statistic, columns, rows_of_subject, draw) for draw in draws])
    values = values[np.isfinite(values)]
    if not values.size:
        raise broken_rule("statistic", f"a finite number on some of {resamples} resamples", "none", "use more subjects")
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), resamples - values.size)


def _value(
    statistic: Callable[..., float],
    columns: list[npt.NDArray[Any]],
    rows_of_subject: list[npt.NDArray[np.intp]],
    draw: npt.NDArray[np.int64],
) -> float:
    """Statistic on the rows of the drawn subjects, NaN where it is not defined."""
    rows = np.concatenate([rows_of_subject[number] for number in draw])
    with warnings.catch_warnings():
        # These tell of undefined values, which are counted.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            return float(statistic(*(column[rows] for column in columns)))
        except ValueError:
            return float("nan")


def _check(
    names: npt.NDArray[Any],
    subject_of_row: npt.NDArray[np.intp],
    columns: list[npt.NDArray[Any]],
    resamples: int,
    confidence: float,
) -> None:
    lengths = [len(column) if column.ndim else 0 for column in columns]
    if not lengths or set(lengths) != {subject_of_row.size}:
        raise broken_rule(
            "arrays",
            f"one row for each of the {subject_of_row.size} entries of subjects",
            f"lengths {lengths}",
            "give them in the same order",
        )
    if names.size < 2:
        raise broken_rule("subjects", "at least 2 subjects to resample", names.size, "use more subjects")
    if resamples < 1 or not 0 < confidence < 1:
        raise broken_rule(
            "resamples, confidence",
            "at least 1 and a number between 0 and 1",
            f"{resamples} and {confidence}",
            "2000 and 0.95 are usual",
        )
