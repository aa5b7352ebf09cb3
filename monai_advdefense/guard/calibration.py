"""From the scores of clean images to a threshold that keeps a false positive rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from monai_advdefense.errors import CalibrationError
from monai_advdefense.messages import broken_rule

__all__ = [
    "Scores",
    "finite_scores",
    "minimum_scores",
    "quantiles",
    "standardization",
    "threshold_at_false_positive_rate",
    "threshold_over_domains",
]

Scores: TypeAlias = Tensor | npt.NDArray[Any] | Sequence[float]


def finite_scores(scores: Scores, name: str = "scores") -> npt.NDArray[np.float64]:
    """Scores as a float64 array, checked to be one finite number for each image.

    Args:
        scores: one number for each image ``(N,)``.
        name: argument that an error names.

    Raises:
        InputError: if there is another number of axes, or a score is NaN or infinite.
    """
    array = np.asarray(scores.detach().double().cpu() if isinstance(scores, Tensor) else scores, dtype=np.float64)
    if array.ndim != 1:
        raise broken_rule(name, "one score for each image (N,)", f"shape {array.shape}", "flatten them")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise broken_rule(
            name,
            "finite numbers",
            f"{bad} of {array.size} NaN or infinite",
            "look for broken images or untrained weights",
        )
    return array


def minimum_scores(false_positive_rate: float, *, name: str = "false_positive_rate") -> int:
    """Smallest number of scores from which a threshold at a false positive rate can be computed.

    With fewer scores even the highest one is exceeded too often: ``ceil((n + 1) * (1 - rate)) > n``.

    Args:
        false_positive_rate: rate between 0 and 1, both excluded.
        name: what the user calls the rate.

    Raises:
        InputError: if the rate is not between 0 and 1.

    Example:
        >>> minimum_scores(0.05)
        19
    """
    return math.ceil(1 / _exact_rate(false_positive_rate, name)) - 1


def threshold_at_false_positive_rate(scores: Scores, false_positive_rate: float) -> float:
    """Threshold that a new clean score exceeds with at most the given probability.

    It is the ``k``-th smallest of the ``n`` scores, ``k = ceil((n + 1) * (1 - rate))``. For exchangeable scores the
    probability that the next one lies above it is at most the rate, whatever their distribution and however few they
    are. Slices of one subject are not exchangeable with those of another, so report the realized rate as well.

    Args:
        scores: scores of clean images ``(n,)``, higher is more suspicious.
        false_positive_rate: share of clean images that may be rejected, between 0 and 1.

    Returns:
        One of the scores; an image is accepted if its score is not above it.

    Raises:
        CalibrationError: if there are fewer than :func:`minimum_scores` scores.
        InputError: if a score is not finite or the rate is not between 0 and 1.

    Source:
        Split conformal prediction: Vovk, Gammerman, Shafer 2005, "Algorithmic Learning in a Random World", chapter 4.

    Example:
        >>> threshold_at_false_positive_rate(range(1, 100), 0.05)
        95.0
    """
    return _threshold(scores, false_positive_rate, "scores")


def threshold_over_domains(scores_by_domain: Mapping[str, Scores], false_positive_rate: float) -> float:
    """Threshold that keeps the false positive rate in each of several domains: the largest of their thresholds.

    Args:
        scores_by_domain: scores of clean images ``(n,)`` of each domain.
        false_positive_rate: share of clean images of a domain that may be rejected, between 0 and 1.

    Raises:
        CalibrationError: if there is no domain, or a domain has fewer than :func:`minimum_scores` scores.
        InputError: if a score is not finite or the rate is not between 0 and 1.

    Example:
        >>> threshold_over_domains({"scans": range(1, 20), "template": range(2, 21)}, 0.05)
        20.0
    """
    if not scores_by_domain:
        raise broken_rule(
            "scores_by_domain",
            "scores of at least one domain",
            "none",
            "calibrate on clean images",
            error=CalibrationError,
        )
    return max(
        _threshold(scores, false_positive_rate, f"scores of domain {domain!r}")
        for domain, scores in scores_by_domain.items()
    )


def quantiles(scores: Tensor, levels: Sequence[float]) -> Tensor:
    """Quantile of each kind of scores at a level of its own ``(S,)``, given ``(N, S)`` and S levels from 0 to 1.

    Example:
        >>> quantiles(torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]), [0.5, 1.0])
        tensor([ 2., 30.])
    """
    columns = zip(scores.unbind(dim=1), levels, strict=True)
    return torch.stack([column.quantile(level) for column, level in columns])


def standardization(
    scores: Tensor | npt.NDArray[Any] | Sequence[Sequence[float]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of several kinds of scores, by which they become comparable.

    Args:
        scores: ``(N, S)``, S scores of each of N clean images. Their order does not matter, bit for bit.

    Returns:
        Center ``(S,)`` and scale ``(S,)``, the mean and the standard deviation (with N - 1) of each kind.

    Raises:
        CalibrationError: if there are fewer than 2 images, or all have the same score of a kind.
        InputError: if there is another number of axes, or a score is NaN or infinite.

    Example:
        >>> standardization([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
        (array([ 2., 20.]), array([ 1., 10.]))
    """
    array = np.asarray(scores.detach().double().cpu() if isinstance(scores, Tensor) else scores, dtype=np.float64)
    if len(array) < 2:
        raise broken_rule(
            "scores", "those of at least 2 images", len(array), "calibrate on more clean images", error=CalibrationError
        )
    if array.ndim != 2:
        raise broken_rule("scores", "several for each image (N, S)", f"shape {array.shape}", "stack them")
    # Sums of floats depend on the order, and several processes gather the scores in another one than a single process.
    columns = [np.sort(finite_scores(column, f"scores of kind {kind}")) for kind, column in enumerate(array.T)]
    for kind, column in enumerate(columns):
        if column[0] == column[-1]:
            raise broken_rule(
                f"scores of kind {kind}",
                "different ones",
                f"{column[0]:g} for all {column.size} images",
                "look for weights that ignore the image",
                error=CalibrationError,
            )
    return np.array([column.mean() for column in columns]), np.array([column.std(ddof=1) for column in columns])


def _threshold(scores: Scores, false_positive_rate: float, name: str) -> float:
    array = finite_scores(scores, name)
    needed = minimum_scores(false_positive_rate)
    if array.size < needed:
        raise broken_rule(
            name,
            f"at least {needed} scores for a false positive rate of {false_positive_rate:g}",
            array.size,
            "calibrate on more clean images or allow a higher rate",
            error=CalibrationError,
        )
    k = math.ceil((array.size + 1) * (1 - _exact_rate(false_positive_rate)))
    return float(np.partition(array, k - 1)[k - 1])


def _exact_rate(false_positive_rate: float, name: str = "false_positive_rate") -> Fraction:
    """The rate as the decimal number that was written."""
    try:
        rate = float(false_positive_rate)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 < rate < 1:
        raise broken_rule(name, "a number between 0 and 1", repr(false_positive_rate), "0.05 is usual")
    # In floats (149 + 1) * (1 - 0.18) lies above 123, and the ceiling would choose the score after the one meant.
    # Fraction(rate) would be exact about the float, which is itself a little more or less than the decimal meant.
    return Fraction(repr(rate))
