"""Whether a batch holds more suspicious volumes than a calibrated rate allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from monai_advdefense.guard.calibration import minimum_scores
from monai_advdefense.messages import broken_rule

__all__ = ["BatchFinding", "batch_p_value"]


@dataclass(frozen=True)
class BatchFinding:
    """How many volumes of a batch are suspicious, compared with clean ones.

    Attributes:
        flagged: number of volumes beyond the limit.
        volumes: number of volumes that were compared with it.
        rate: share of clean volumes that the limit was set to flag.
        subjects: number of clean subjects that have set it.
        level: probability with which a batch of clean volumes is called suspicious.
    """

    flagged: int
    volumes: int
    rate: float
    subjects: int
    level: float

    @property
    def p_value(self) -> float:
        """See :func:`batch_p_value`."""
        return batch_p_value(self.flagged, self.volumes, rate=self.rate, subjects=self.subjects)

    @property
    def broken(self) -> bool:
        """Whether there are more than clean volumes would give."""
        return self.p_value < self.level

    @property
    def line(self) -> str:
        """What is found, for a table.

        Example:
            >>> BatchFinding(9, 30, rate=0.05, subjects=20, level=0.01).line
            'too many suspicious: 9 of 30 volumes are not called clean, of clean ones about 5 % are (p = 0.0057)'
        """
        found = "too many suspicious" if self.broken else "as expected"
        expected = f"of clean ones about {100 * self.rate:g} % are (p = {self.p_value:.2g})"
        return f"{found}: {self.flagged} of {self.volumes} volumes are not called clean, {expected}"


def batch_p_value(flagged: int, volumes: int, *, rate: float, subjects: int) -> float:
    """Probability that of clean volumes at least so many are flagged by a limit that clean subjects have set.

    Were the rate exact, the number would be binomial. A limit from few subjects meets its rate only on average: the
    share of all clean volumes beyond the ``a``-th largest of ``N`` scores is Beta distributed with ``a`` and
    ``N + 1 - a``, which makes the number beta-binomial. It becomes binomial as ``N`` grows.

    Args:
        flagged: number of volumes beyond the limit.
        volumes: number of volumes, each of another subject.
        rate: share of clean volumes that the limit was set to flag, between 0 and 1.
        subjects: number of clean subjects that have set it.

    Raises:
        InputError: if ``flagged`` does not lie between 0 and ``volumes``, or there are fewer subjects than the rate
            needs.

    Source:
        Vovk 2012, "Conditional validity of inductive conformal predictors", section 2.

    Example:
        >>> round(batch_p_value(10, 30, rate=0.05, subjects=20), 4)
        0.0029
    """
    if not 0 <= flagged <= volumes:
        raise broken_rule("flagged", f"a number from 0 to {volumes}", flagged, "count the same volumes")
    if subjects < minimum_scores(rate):
        raise broken_rule("subjects", f"at least {minimum_scores(rate)}", subjects, "calibrate on more subjects")
    # As exact as the threshold itself: 0.05 is no binary number.
    above = math.floor((subjects + 1) * Fraction(str(rate)))
    below = subjects + 1 - above
    terms = (_log_probability(count, volumes, above, below) for count in range(flagged, volumes + 1))
    return min(1.0, math.fsum(map(math.exp, terms)))


def _log_probability(count: int, volumes: int, above: int, below: int) -> float:
    """Logarithm of the beta-binomial probability."""
    choose = math.lgamma(volumes + 1) - math.lgamma(count + 1) - math.lgamma(volumes - count + 1)
    return choose + _log_beta(count + above, volumes - count + below) - _log_beta(above, below)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
