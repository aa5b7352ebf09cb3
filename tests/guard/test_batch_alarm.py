from __future__ import annotations

import math
from itertools import combinations

import pytest
from scipy.stats import betabinom

from monai_advdefense.errors import InputError
from monai_advdefense.guard.batch_alarm import batch_p_value


@pytest.mark.parametrize(("rate", "subjects"), [(0.2, 4), (0.25, 7), (0.5, 5)])
@pytest.mark.parametrize("volumes", [1, 3, 4])
def test_it_counts_the_orders_of_clean_scores(rate, subjects, volumes):
    """All orders of exchangeable scores are equally likely: choose which of the ranks are the new volumes'."""
    above = math.floor((subjects + 1) * rate)
    counts = []
    for new in combinations(range(subjects + volumes), volumes):
        limit = sorted(set(range(subjects + volumes)) - set(new))[-above]
        counts.append(sum(rank > limit for rank in new))
    for flagged in range(volumes + 1):
        expected = sum(count >= flagged for count in counts) / len(counts)
        assert batch_p_value(flagged, volumes, rate=rate, subjects=subjects) == pytest.approx(expected)


def test_with_many_subjects_it_is_binomial():
    binomial = sum(math.comb(30, k) * 0.05**k * 0.95 ** (30 - k) for k in range(5, 31))
    assert batch_p_value(5, 30, rate=0.05, subjects=1_999_999) == pytest.approx(binomial, rel=1e-3)
    assert batch_p_value(5, 30, rate=0.05, subjects=20) > binomial


@pytest.mark.parametrize(
    ("flagged", "subjects", "message"), [(4, 20, "flagged: expected"), (-1, 20, "flagged"), (1, 18, "at least 19")]
)
def test_numbers_that_do_not_fit_are_refused(flagged, subjects, message):
    with pytest.raises(InputError, match=message):
        batch_p_value(flagged, 3, rate=0.05, subjects=subjects)


def test_the_number_of_scores_above_the_limit_is_that_of_the_decimal_rate():
    """29 of 100, although 100 times the binary number is less than 29."""
    assert math.floor(100 * 0.29) == 28
    expected = betabinom(30, 29, 71).sf(9)
    assert batch_p_value(10, 30, rate=0.29, subjects=99) == pytest.approx(expected)
