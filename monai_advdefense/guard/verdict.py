"""The verdict for a volume: from the scores of its slices to clean, review, reject or not checked, with the cause."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.calibration import minimum_scores, threshold_at_false_positive_rate
from monai_advdefense.guard.causes import CAUSES, explain
from monai_advdefense.messages import broken_rule

__all__ = [
    "VERDICTS",
    "VolumeReference",
    "VolumeVerdict",
    "fit_volume_reference",
    "volume_statistics",
    "volume_verdict",
    "with_cause",
]

VERDICTS = ("clean", "review", "reject", "not_checked")

# Beyond this many times the limit of clean volumes a volume is not to be used at all.
_REJECT_FACTOR = 2.0
# Smallest scales of the statistics: those of scores, and that of the share of rejected slices.
_SMALLEST_SCALES = (0.1, 0.01)


@dataclass(frozen=True)
class VolumeReference:
    """What the scores of clean volumes are, as :func:`fit_volume_reference` finds it.

    Attributes:
        scores: names of the scores, in the order of their columns.
        causes: what each of them speaks of, one of :data:`~monai_advdefense.guard.causes.CAUSES`.
        expected_rate: share of the judged slices of a clean volume that are rejected.
        center: median of each of the :func:`volume_statistics` over clean subjects.
        scale: their robust standard deviations.
        subjects: suspicion of each clean subject, ascending; that of its worst scan.
        rate: share of clean volumes that may be called other than clean.
    """

    scores: tuple[str, ...]
    causes: tuple[str, ...]
    expected_rate: float
    center: tuple[float, ...]
    scale: tuple[float, ...]
    subjects: tuple[float, ...]
    rate: float

    def suspicion(self, statistics: Tensor) -> float:
        """Largest of the standardized statistics ``(S,)``; never falls when a score rises or a slice is rejected."""
        center, scale = statistics.new_tensor(self.center), statistics.new_tensor(self.scale)
        return float(((statistics - center) / scale).max())

    def p_value(self, suspicion: float) -> float:
        """Probability that a clean volume of a new subject is at least as suspicious, conformal over subjects."""
        return (1 + sum(clean >= suspicion for clean in self.subjects)) / (len(self.subjects) + 1)

    @property
    def limit(self) -> float:
        """Suspicion that clean volumes exceed with a probability of at most ``rate``."""
        return threshold_at_false_positive_rate(self.subjects, self.rate)


@dataclass(frozen=True)
class VolumeVerdict:
    """What is to be thought of a volume.

    Attributes:
        verdict: ``clean``; ``review``, look at it; ``reject``, do not use it; ``not_checked``, a score failed.
        cause: the likely cause, one of :data:`~monai_advdefense.guard.causes.CAUSES`; empty unless review or reject.
        explanation: the verdict and its cause in words, and what to do.
        score: name of the score that spoke; empty where ``cause`` is. If not checked, the one that failed.
        p_value: probability that a clean volume is at least as suspicious; NaN if not checked.
        judged: number of slices with enough tissue to judge.
        rejected: number of them that the guard rejects.
        expected_rejected: number that it would reject of a clean volume; NaN without a calibration.
    """

    verdict: str
    cause: str
    explanation: str
    score: str
    p_value: float
    judged: int
    rejected: int
    expected_rejected: float


def volume_statistics(scores: Tensor, rejected: Tensor) -> Tensor:
    """What of a volume is compared with clean volumes, ``(3 * K + 4,)``; nothing in it falls when a score rises.

    Of each score, and of the largest score of each slice: the mean of the two largest and of the largest tenth of the
    slices, and the median (all slices a little spoilt). Last, the share of rejected slices.

    Args:
        scores: ``(S, K)``, K standardized scores of each judged slice, finite, S at least 1.
        rejected: ``(S,)`` bool.

    Example:
        >>> volume_statistics(torch.tensor([[1.0], [3.0], [2.0]]), torch.tensor([False, True, False]))
        tensor([2.5000, 2.5000, 3.0000, 3.0000, 2.0000, 2.0000, 0.3333],
               dtype=torch.float64)
    """
    columns = torch.cat([scores, scores.amax(dim=1, keepdim=True)], dim=1).double()
    descending = columns.sort(dim=0, descending=True).values
    tenth = math.ceil(len(descending) / 10)
    parts = [descending[:2].mean(dim=0), descending[:tenth].mean(dim=0), descending.median(dim=0).values]
    return torch.cat([*parts, rejected.double().mean().reshape(1)])


def fit_volume_reference(
    scores: Sequence[Tensor],
    rejected: Sequence[Tensor],
    subjects: Sequence[str],
    *,
    names: Sequence[str],
    causes: Sequence[str],
    rate: float = 0.05,
) -> VolumeReference:
    """Learn from clean volumes what their verdicts are compared with.

    Args:
        scores: ``(S, K)`` of each volume, its judged slices alone; best of a model that has not seen its subject.
        rejected: ``(S,)`` bool of each volume.
        subjects: whose each volume is; scans of one subject count once.
        names: of the K scores.
        causes: what each score speaks of, one of :data:`~monai_advdefense.guard.causes.CAUSES`.
        rate: share of clean volumes that may be called other than clean.

    Raises:
        InputError: the arguments do not fit each other, or a score is not finite.
        CalibrationError: fewer subjects than ``rate`` needs.
    """
    _check_names(names, causes)
    if not len(scores) == len(rejected) == len(subjects):
        found = f"{len(scores)}, {len(rejected)} and {len(subjects)}"
        raise broken_rule("scores, rejected, subjects", "one of each for each volume", found, "give the same volumes")
    _check_volumes(scores, len(set(subjects)), len(names), rate)
    table = torch.stack([volume_statistics(*volume) for volume in zip(scores, rejected, strict=True)])
    center = table.median(dim=0).values
    deviation = 1.4826 * (table - center).abs().median(dim=0).values
    smallest = deviation.new_full(deviation.shape, _SMALLEST_SCALES[0])
    smallest[-1] = _SMALLEST_SCALES[1]
    scale = torch.maximum(deviation, smallest)
    worst: dict[str, float] = {}
    for subject, row in zip(subjects, ((table - center) / scale).amax(dim=1).tolist(), strict=True):
        worst[subject] = max(row, worst.get(subject, -math.inf))
    share = float(table[:, -1].mean())
    return VolumeReference(
        tuple(names), tuple(causes), share, tuple(center.tolist()), tuple(scale.tolist()),
        tuple(sorted(worst.values())), rate,
    )  # fmt: skip


def volume_verdict(
    scores: Tensor, rejected: Tensor, judged: Tensor, *, names: Sequence[str], reference: VolumeReference | None
) -> VolumeVerdict:
    """Say what is to be thought of a volume. Never ``clean`` by default.

    ``not_checked`` if there is no finite calibration, a calibrated score is missing, no slice could be judged, or a
    score of a judged slice is not finite. Else ``clean`` while the volume is no more suspicious than all but
    ``reference.rate`` of the clean ones; beyond that ``review``; ``reject`` from twice that limit on.

    Args:
        scores: ``(S, K)``, standardized, of all slices; those of slices that are not judged do not count.
        rejected: ``(S,)`` bool.
        judged: ``(S,)`` bool, false where there is too little tissue.
        names: of the K scores; at least those of ``reference``, in any order.
        reference: what clean volumes give, None if not calibrated.

    Raises:
        InputError: the shapes do not fit each other.
    """
    _check_shapes(scores, rejected, judged, names)
    count, found = int(judged.sum()), int((rejected & judged).sum())
    expected = math.nan if reference is None else reference.expected_rate * count
    failed = _failed(scores[judged], names, reference)
    if failed is not None or reference is None:
        score, why = failed or ("", "")
        return VolumeVerdict(
            "not_checked", "", explain("not_checked", "", why), score, math.nan, count, found, expected
        )
    columns = scores[judged][:, [list(names).index(name) for name in reference.scores]]
    suspicion = reference.suspicion(volume_statistics(columns, (rejected & judged)[judged]))
    verdict = _compared(suspicion, reference.limit)
    speaker = _speaker(columns)
    score, cause = ("", "") if verdict == "clean" else (reference.scores[speaker], reference.causes[speaker])
    found_verdict = VolumeVerdict(verdict, cause, "", score, reference.p_value(suspicion), count, found, expected)
    return with_cause(found_verdict, cause)


def _compared(suspicion: float, limit: float) -> str:
    if suspicion <= limit:
        return "clean"
    return "review" if suspicion <= _REJECT_FACTOR * max(limit, 1.0) else "reject"


def with_cause(verdict: VolumeVerdict, cause: str) -> VolumeVerdict:
    """The same verdict, explained by another cause; not for a volume that could not be checked."""
    counted = f"{verdict.rejected} of {verdict.judged} slices rejected, {verdict.expected_rejected:.1f} expected"
    return replace(verdict, cause=cause, explanation=explain(verdict.verdict, cause, counted))


def _speaker(scores: Tensor) -> int:
    """Column whose largest tenth of slices is the highest."""
    tenth = math.ceil(len(scores) / 10)
    return int(scores.double().topk(tenth, dim=0).values.mean(dim=0).argmax())


def _failed(scores: Tensor, names: Sequence[str], reference: VolumeReference | None) -> tuple[str, str] | None:
    """Name of the score that failed and why; None if all are there."""
    if reference is None or not all(map(math.isfinite, (*reference.center, *reference.scale, *reference.subjects))):
        return "", "the guard is not calibrated"
    if not len(scores):
        return "", "no slice shows enough tissue"
    for name in reference.scores:
        if name not in names:
            return name, f"score {name} is missing"
        if not torch.isfinite(scores[:, list(names).index(name)]).all():
            return name, f"score {name} failed"
    return None


def _check_names(names: Sequence[str], causes: Sequence[str]) -> None:
    unknown = sorted(set(causes) - set(CAUSES))
    if not names or len(names) != len(causes) or len(set(names)) != len(names) or unknown:
        raise broken_rule(
            "names, causes",
            f"different names and for each a cause among {', '.join(CAUSES)}",
            f"{list(names)} and {list(causes)}",
            "name what each score speaks of",
        )


def _check_volumes(scores: Sequence[Tensor], subjects: int, names: int, rate: float) -> None:
    needed = minimum_scores(rate)
    if subjects < needed:
        raise broken_rule(
            "subjects",
            f"at least {needed} for a rate of {rate:g} of clean volumes",
            subjects,
            f"calibrate on more subjects or allow a rate of {1 / (subjects + 1):.2g}",
            error=CalibrationError,
        )
    for number, volume in enumerate(scores):
        if volume.ndim != 2 or not len(volume) or volume.shape[1] != names or not torch.isfinite(volume).all():
            raise broken_rule(
                f"scores of volume {number}",
                f"finite ones (S, {names}) of at least one slice",
                f"shape {tuple(volume.shape)}",
                "leave out slices that cannot be judged and volumes that failed",
            )


def _check_shapes(scores: Tensor, rejected: Tensor, judged: Tensor, names: Sequence[str]) -> None:
    if scores.shape != (len(rejected), len(names)) or rejected.shape != judged.shape or rejected.ndim != 1:
        raise broken_rule(
            "scores, rejected, judged",
            f"(S, {len(names)}), (S,) and (S,)",
            f"{tuple(scores.shape)}, {tuple(rejected.shape)} and {tuple(judged.shape)}",
            "give one row for each slice, one column for each name",
        )
