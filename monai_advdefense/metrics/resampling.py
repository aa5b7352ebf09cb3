"""Bootstrap over subjects for many figures at once: the resamples are kept, so that differences are paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from monai_advdefense.guard.calibration import finite_scores
from monai_advdefense.messages import broken_rule
from monai_advdefense.metrics.bootstrap import Interval

__all__ = ["Resampled", "SubjectResampling", "mean_of"]

_Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Resampled:
    """A figure on all rows and on each resample.

    Attributes:
        estimate: the figure on all rows; NaN where it is not defined.
        values: the figure on each resample ``(R,)``; NaN where it is not defined.
    """

    estimate: float
    values: _Floats

    def __sub__(self, other: Resampled | float) -> Resampled:
        if isinstance(other, Resampled):
            return Resampled(self.estimate - other.estimate, self.values - other.values)
        return Resampled(self.estimate - other, self.values - other)

    def interval(self, confidence: float = 0.95) -> Interval:
        """Percentile interval; NaN without an estimate or without any resample on which the figure is defined."""
        values = self.values[np.isfinite(self.values)]
        dropped = self.values.size - values.size
        if not np.isfinite(self.estimate) or not values.size:
            return Interval(self.estimate, float("nan"), float("nan"), dropped)
        tail = (1 - confidence) / 2
        low, high = np.quantile(values, [tail, 1 - tail])
        return Interval(self.estimate, float(low), float(high), dropped)


def mean_of(figures: Sequence[Resampled]) -> Resampled:
    """Mean of figures of the same resamples; not defined wherever one of them is not."""
    values: _Floats = np.mean([figure.values for figure in figures], axis=0)
    return Resampled(float(np.mean([figure.estimate for figure in figures])), values)


class SubjectResampling:
    """How often each resample draws each row's subject.

    Every figure is computed from sums over the rows of a subject, weighted by how often the subject was drawn, so
    thousands of resamples cost one product of matrices. The draws, and so the intervals, are those of
    :func:`monai_advdefense.metrics.bootstrap_over_subjects` with the same seed. Two objects with the same names of
    subjects draw alike, however the rows differ: their figures can be subtracted.

    With fewer than two subjects there is nothing to resample: all values are NaN.

    Args:
        subjects: name of each row's subject ``(N,)``.
        resamples: number of resamples R.
        seed: the same seed gives the same draws.

    Raises:
        InputError: if there is no row or ``resamples`` is less than 1.

    Example:
        >>> resampling = SubjectResampling(["a", "a", "b"], resamples=100)
        >>> resampling.mean(np.array([1.0, 2.0, 3.0])).estimate
        2.0
        >>> resampling.roc_auc(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 2.5])).estimate
        0.8888888888888888
    """

    def __init__(self, subjects: npt.ArrayLike, *, resamples: int = 1000, seed: int = 0) -> None:
        names, self._subject = np.unique(np.asarray(subjects), return_inverse=True)
        if not names.size or resamples < 1:
            raise broken_rule(
                "subjects, resamples",
                "at least one row and one resample",
                f"{names.size} subjects and {resamples} resamples",
                "give the name of each row's subject",
            )
        self._count = names.size
        draws = np.random.default_rng(seed).integers(0, names.size, (resamples, names.size))
        flat = (draws + names.size * np.arange(resamples)[:, None]).ravel()
        drawn = np.bincount(flat, minlength=resamples * names.size).reshape(resamples, names.size)
        # The first row draws everybody once: the estimate.
        self._times: _Floats = np.vstack([np.ones((1, names.size)), drawn]).astype(np.float64)

    def mean(self, values: npt.NDArray[Any]) -> Resampled:
        """Mean of finite values ``(N, ...)`` over the rows and further axes, NaN left out.

        So the mean over some rows is the mean of an array that is NaN elsewhere; it is not defined on resamples that
        have none of them.
        """
        subject, flat = self._rows(values)
        known = ~np.isnan(flat)
        finite_scores(flat[known], "values")
        total = self._times @ self._sums(subject, np.where(known, flat, 0.0))
        return self._resampled(total, self._times @ self._sums(subject, known))

    def roc_auc(self, clean: npt.NDArray[Any], attacked: npt.NDArray[Any]) -> Resampled:
        """Area under the ROC curve, ties counted half.

        Args:
            clean: scores ``(N,)`` of the rows' clean images, higher is more suspicious.
            attacked: scores ``(N, ...)`` of their attacked copies, one or more of each row. Their number does not
                matter: the area does not depend on the ratio of clean to attacked images.
        """
        subject, scores = self._rows(attacked, "attacked")
        clean = self._clean(clean)
        # wins[s, t]: pairs of a clean row of subject s and an attacked one of t in which the attacked score is higher.
        wins = np.empty((self._count, self._count))
        for number in range(self._count):
            ordered = np.sort(clean[self._subject == number])
            below = ordered.searchsorted(scores, "left") + ordered.searchsorted(scores, "right")
            wins[number] = self._sums(subject, below / 2)
        won = np.einsum("rs,st,rt->r", self._times, wins, self._times)
        clean_rows = self._times @ np.bincount(self._subject, minlength=self._count)
        return self._resampled(won, clean_rows * (self._times @ np.bincount(subject, minlength=self._count)))

    def true_positive_rate(
        self, clean: npt.NDArray[Any], attacked: npt.NDArray[Any], *, false_positive_rate: float = 0.05
    ) -> Resampled:
        """Largest share of attacked images found by a threshold that keeps the rate on the clean ones.

        The rule is that of :func:`monai_advdefense.metrics.detection_metrics`; each resample has its own threshold.

        Args:
            clean: scores ``(N,)`` of the rows' clean images, higher is more suspicious.
            attacked: scores ``(N, ...)`` of their attacked copies, one or more of each row.
            false_positive_rate: from 0 to below 1.

        Raises:
            InputError: if a score is not finite, or the rate is out of range.
        """
        if not 0 <= false_positive_rate < 1:
            raise broken_rule("false_positive_rate", "from 0 to below 1", false_positive_rate, "try 0.05")
        subject, scores = self._rows(attacked, "attacked")
        levels, level = np.unique(self._clean(clean), return_inverse=True)
        at_level = np.zeros((self._count, levels.size))
        np.add.at(at_level, (self._subject, level), 1)
        at_or_above = at_level[:, ::-1].cumsum(axis=1)[:, ::-1]
        clean_rows = self._times @ at_or_above[:, 0]
        # The highest clean score at which too many clean images would be rejected must be accepted itself. It lies
        # between two places; at the lower one too many are rejected.
        accepted, allowed = np.zeros(len(self._times), np.intp), np.full(len(self._times), levels.size)
        while (allowed - accepted > 1).any():
            middle = (accepted + allowed) // 2
            too_many = self._at(at_or_above, middle) / clean_rows > false_positive_rate
            # A middle that is not new changes nothing: there too many are rejected.
            accepted, allowed = np.where(too_many, middle, accepted), np.where(too_many, allowed, middle)
        lower_levels = levels.searchsorted(scores, "left")
        found_at = np.zeros((self._count, levels.size + 1))
        np.add.at(found_at, (subject, lower_levels), 1)
        found = found_at[:, ::-1].cumsum(axis=1)[:, ::-1]
        rows = self._times @ np.bincount(subject, minlength=self._count)
        return self._resampled(self._at(found, accepted + 1), rows)

    def area_under_risk_coverage(self, scores: npt.NDArray[Any], losses: npt.NDArray[Any]) -> Resampled:
        """Area under the curve of :func:`monai_advdefense.metrics.risk_coverage_curve`.

        Args:
            scores: ``(N, ...)``, higher is more suspicious and rejected first.
            losses: what accepting an image costs ``(N, ...)``.
        """
        subject, flat = self._rows(scores, "scores")
        if np.shape(losses) != np.shape(scores):
            raise broken_rule(
                "losses", f"the shape of scores, {np.shape(scores)}", np.shape(losses), "give one for each"
            )
        cost = self._rows(losses, "losses")[1]
        levels, level = np.unique(flat, return_inverse=True)
        rows, lost = np.zeros((2, self._count, levels.size))
        np.add.at(rows, (subject, level), 1)
        np.add.at(lost, (subject, level), cost)
        accepted, lost = rows.cumsum(axis=1), lost.cumsum(axis=1)
        area = np.empty(len(self._times))
        # In parts that fit into the processor's cache.
        for start in range(0, len(self._times), 32):
            times = self._times[start : start + 32]
            risk = (times @ lost) / np.maximum(times @ accepted, 1)
            area[start : start + 32] = (risk * (times @ rows)).sum(axis=1)
        return self._resampled(area, self._times @ accepted[:, -1])

    def _clean(self, clean: npt.NDArray[Any]) -> _Floats:
        """Scores of the clean images, checked to be one for each row."""
        scores = finite_scores(clean, "clean")
        self._rows(scores, "clean")
        return scores

    def _rows(self, values: npt.NDArray[Any], scores: str = "") -> tuple[npt.NDArray[np.intp], _Floats]:
        """Subject and value of each entry; ``scores`` names what must be finite."""
        array = np.asarray(values, np.float64)
        if array.shape[:1] != self._subject.shape:
            raise broken_rule(
                scores or "values",
                f"one entry for each of the {self._subject.size} rows",
                f"shape {array.shape}",
                "give them in the order of subjects",
            )
        flat = finite_scores(array.ravel(), scores) if scores else array.ravel()
        return np.repeat(self._subject, flat.size // self._subject.size), flat

    def _at(self, sums: _Floats, place: npt.NDArray[np.intp]) -> _Floats:
        """Weighted total ``(R + 1,)`` of sums ``(subjects, places)``, each resample at its own place."""
        total: _Floats = np.einsum("rs,sr->r", self._times, sums[:, place])
        return total

    def _sums(self, subject: npt.NDArray[np.intp], values: npt.NDArray[Any]) -> _Floats:
        return np.bincount(subject, values.astype(np.float64), self._count).astype(np.float64)

    def _resampled(self, numerator: _Floats, denominator: _Floats) -> Resampled:
        with np.errstate(invalid="ignore", divide="ignore"):
            values: _Floats = numerator / denominator
        return Resampled(float(values[0]), values[1:] if self._count > 1 else np.full(values.size - 1, np.nan))
