"""All that was measured, as arrays: what the figures of a report are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from monai_advdefense.metrics import Interval, SubjectResampling, dice_from_counts
from monai_advdefense.robustness.condition import Condition

__all__ = ["Measured", "Measurements", "mean_over_structures"]

_Floats: TypeAlias = npt.NDArray[np.float64]
DROP = 0.1


@dataclass(frozen=True, eq=False)
class Measured:
    """One condition on all V cases, at n levels. The N samples are those of all cases, in order.

    Attributes:
        condition: what they were put through.
        counts: ``(n, N, S, 3)`` int64, see :func:`~monai_advdefense.robustness.outputs.structure_counts`.
        change: L2 norm of the difference over that of the image ``(n, N)``.
        guarded: counts behind the reformer, in the shape of ``counts``, or None.
        accepted: what the guard let pass ``(n, N)`` bool, or None.
        pictures: of each level, image and prediction; empty if there are none.
    """

    condition: Condition
    counts: npt.NDArray[np.int64]
    change: _Floats
    guarded: npt.NDArray[np.int64] | None = None
    accepted: npt.NDArray[np.bool_] | None = None
    pictures: Sequence[Sequence[str]] = ()

    @classmethod
    def of(cls, condition: Condition, records: Sequence[Mapping[str, Any]]) -> Measured:
        """Join the records of all cases, see :func:`~monai_advdefense.robustness.measure.measured`."""

        def joined(name: str) -> Any:
            parts = [np.asarray(record[name]) for record in records if name in record]
            return np.concatenate(parts, axis=1) if len(parts) == len(records) else None

        pictures = next((record["pictures"] for record in records if record.get("pictures")), ())
        return cls(condition, joined("counts"), joined("change"), joined("guarded"), joined("accepted"), pictures)

    def sample_dice(self) -> _Floats:
        """Dice ``(n, N, S)`` of each structure in each sample; NaN where it is absent."""
        return dice(self.counts)


@dataclass(frozen=True, eq=False)
class Measurements:
    """All conditions, with whose each sample is.

    Attributes:
        case: number of each sample's case ``(N,)``.
        subjects: subject of each case.
        structures: names.
        measured: the conditions, the clean images first.
        seed: of the intervals.
    """

    case: npt.NDArray[np.int64]
    subjects: Sequence[str]
    structures: Sequence[str]
    measured: Sequence[Measured]
    seed: int = 0

    @cached_property
    def _resampling(self) -> SubjectResampling:
        return SubjectResampling(list(self.subjects), seed=self.seed)

    @property
    def clean(self) -> Measured:
        """The clean images."""
        return self.measured[0]

    def of_kind(self, kind: str) -> list[Measured]:
        """The conditions of one kind."""
        return [one for one in self.measured if one.condition.kind == kind]

    def case_dice(self, counts: npt.NDArray[np.int64]) -> _Floats:
        """Dice ``(V, S)`` from counts ``(N, S, 3)``, summed over the samples of each case."""
        return dice(np.stack([counts[self.case == number].sum(axis=0) for number in range(len(self.subjects))]))

    def interval(self, values: _Floats) -> Interval:
        """Mean over the cases of values ``(V,)`` and its interval over subjects; NaN where there is none."""
        if np.isnan(values).all():
            return Interval(np.nan, np.nan, np.nan)
        return self._resampling.mean(values).interval()

    def mean_dice(self, counts: npt.NDArray[np.int64]) -> Interval:
        """Mean Dice over structures and cases, from counts ``(N, S, 3)``."""
        return self.interval(mean_over_structures(self.case_dice(counts)))

    def worst_counts(self) -> npt.NDArray[np.int64]:
        """Counts ``(n, N, S, 3)`` of the worst choice of an attack for each sample, at this budget or a smaller one.

        An image within a small ball lies within all larger ones, so the worst case cannot become better with the
        budget. The clean image counts as well. The Dice of a case sums each structure over its samples, so the worst
        image by image need not be so for the case: where one attack alone makes its Dice lower, that attack counts.
        """
        found = [self.clean.counts[:1]]
        found += [one.counts for one in self.of_kind("attack")]
        budgets = max(len(counts) for counts in found)
        worst: list[npt.NDArray[np.int64]] = []
        for level in range(budgets):
            pool = np.concatenate([counts[: level + 1] for counts in found])
            quality = np.nan_to_num(mean_over_structures(dice(pool)), nan=1.0)
            by_image = np.take_along_axis(pool, quality.argmin(axis=0)[None, :, None, None], axis=0)
            worst.append(self._worst_of_each_case(np.concatenate([pool, by_image, *(one[None] for one in worst)])))
        return np.stack(worst)

    def _worst_of_each_case(self, pool: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Of P choices ``(P, N, S, 3)`` the one with the lowest Dice of each case, ``(N, S, 3)``."""
        quality = np.stack([mean_over_structures(self.case_dice(counts)) for counts in pool])
        choice = np.nan_to_num(quality, nan=1.0).argmin(axis=0)
        worst: npt.NDArray[np.int64] = pool[choice[self.case], np.arange(len(self.case))]
        return worst

    def accepted_and_bad(self, one: Measured, level: int) -> float | None:
        """Share of samples that the guard lets pass although their Dice fell by over 0.1; None without a guard."""
        if one.accepted is None or one.guarded is None:
            return None
        before, after = (
            np.nan_to_num(mean_over_structures(dice(counts)), nan=1.0)
            for counts in (self.clean.counts[0], one.guarded[level])
        )
        return float((one.accepted[level] & (before - after > DROP)).mean())


def dice(counts: npt.NDArray[np.int64]) -> _Floats:
    """Dice ``(...)`` from counts ``(..., 3)``; NaN where a structure is absent in label and prediction."""
    found: _Floats = dice_from_counts(torch.from_numpy(counts)).numpy()
    return found


def mean_over_structures(values: _Floats) -> _Floats:
    """Mean over the last axis of ``(..., S)`` without NaN; NaN where there is nothing else."""
    mean: _Floats = torch.from_numpy(values).nanmean(dim=-1).numpy()
    return mean
