"""From measurements to figures, each with its resamples, so that tables and claims rest on the same draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from experiments.figures import volume_dice
from experiments.paper.results import CLEAN, FALSE_POSITIVE_RATE, NO_REFORMER, Results
from experiments.settings import AttackSetting
from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.metrics import Resampled, SubjectResampling, dice_from_counts, mean_of

__all__ = [
    "DROP",
    "HALF",
    "MEAN",
    "NO_DETECTOR",
    "POOLED",
    "Quantities",
    "bad_slices",
    "groups",
    "half_attacked",
    "pooled",
    "quantities",
]

MEAN = "mean"
"""Target of a figure that is the mean over all target networks."""

NO_DETECTOR = "none"
"""Detector that accepts everything."""

POOLED = "A+B+C"
"""Types of the attack in a figure over all of them."""

HALF = "clean+A+B+C"
"""The same where each attacked slice stands beside its clean copy."""

DROP = 0.1
"""An accepted slice is bad if its Dice lies by more than this under that of the clean slice without guard."""

_Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Figures: TypeAlias = dict[str, Resampled]


@dataclass(frozen=True)
class Quantities:
    """All figures of the experiments; what was not measured is not there.

    A group is one attack, or the three types of DAG together, by themselves (``POOLED``) or with as many clean slices
    (``HALF``, for guards alone). Targets are those of the results and ``MEAN``.

    Attributes:
        groups: setting of each group, and the attacks in it, by the setting's name.
        thresholds: by (detector, target).
        detection: by (detector, target, group): ``auc``; ``tpr_at_5``, of the best threshold that keeps 5 % false
            positives on these slices; ``tpr`` and ``fpr`` of the calibrated threshold; ``aurc`` where all types of DAG
            are pooled at full strength, brain only.
        guards: by (detector, reformer, target, group or ``CLEAN``): ``accepted_and_bad``, ``coverage``, ``dice`` and
            ``soft_dice`` of the accepted slices; ``clean_cost``, the Dice that the reformer costs on accepted clean
            slices.
        attacks: by (target, group): ``norm`` and ``flipped``.
    """

    groups: dict[str, tuple[AttackSetting, tuple[str, ...]]]
    thresholds: dict[tuple[str, str], float]
    detection: dict[tuple[str, str, str], Figures]
    guards: dict[tuple[str, str, str, str], Figures]
    attacks: dict[tuple[str, str], Figures]


def pooled(strength: float = 1.0, support: str = "brain", types: str = POOLED) -> str:
    """Name of the group of all types of DAG at a strength."""
    return AttackSetting("dag", types, strength, support).name


def groups(settings: Mapping[str, AttackSetting]) -> dict[str, tuple[AttackSetting, tuple[str, ...]]]:
    """Every attack by itself, and before each three types of DAG all of them together."""
    found: dict[str, tuple[AttackSetting, tuple[str, ...]]] = {}
    for name, setting in settings.items():
        types = {
            other.target: key
            for key, other in settings.items()
            if (other.form, other.strength, other.support) == ("dag", setting.strength, setting.support)
        }
        if setting.form == "dag" and sorted(types) == ["A", "B", "C"]:
            attacks = tuple(types[target] for target in "ABC")
            half = tuple(name for attack in attacks for name in (CLEAN, attack))
            for members, name_of_types in ((attacks, POOLED), (half, HALF)):
                together = AttackSetting("dag", name_of_types, setting.strength, setting.support)
                found.setdefault(together.name, (together, members))
        found[name] = (setting, (name,))
    return found


def quantities(results: Results, *, resamples: int = 1000, seed: int = 0) -> Quantities:
    """Compute all figures.

    Args:
        results: what was measured.
        resamples: number of bootstrap resamples over subjects.
        seed: seed of the resampling.

    Raises:
        CalibrationError: if a detector has too few calibration scores for a threshold.
        InputError: if a score is not finite.
    """
    measured = _Measured(results, resamples, seed)
    detection = {
        (detector, target, group): measured.detection(detector, target, group)
        for detector in results.detectors
        for target in results.targets
        for group, (_, attacks) in measured.groups.items()
        if CLEAN not in attacks
        and (detector, target, CLEAN) in results.scores
        and all((detector, target, attack) in results.scores for attack in attacks)
    }
    guards = {
        (detector, reformer, target, group): measured.guard(detector, reformer, target, group)
        for detector, reformer in measured.pairs()
        for target in results.targets
        for group in (CLEAN, *measured.groups)
        if measured.has_guard(detector, reformer, target, group)
    }
    attacks = {
        (target, group): measured.attack(target, group)
        for target in results.targets
        for group, (_, attacks) in measured.groups.items()
        if all((target, attack) in results.norm for attack in attacks)
    }
    detection |= {
        (detector, MEAN, group): _mean([detection[detector, target, group] for target in results.targets])
        for detector, group in dict.fromkeys((detector, group) for detector, _, group in detection)
        if all((detector, target, group) in detection for target in results.targets)
    }
    guards |= {
        (*pair, MEAN, group): _mean([guards[*pair, target, group] for target in results.targets])
        for pair, group in dict.fromkeys((key[:2], key[3]) for key in guards)
        if all((*pair, target, group) in guards for target in results.targets)
    }
    return Quantities(measured.groups, measured.thresholds, detection, guards, attacks)


def bad_slices(results: Results, reformer: str, target: str, attacks: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Whether the Dice of each slice under each attack ``(N, K)`` lies too far under that of the clean slice alone.

    The rule is that of :func:`monai_advdefense.metrics.accepted_and_bad`.
    """
    clean = _slice_dice(results.counts[NO_REFORMER, target, CLEAN])
    under = [_slice_dice(results.counts[reformer, target, attack]) for attack in attacks]
    return np.stack([clean - dice > DROP for dice in under], axis=1)


def half_attacked(
    results: Results, detector: str, target: str, attacks: tuple[str, ...]
) -> tuple[_Floats, npt.NDArray[np.bool_]]:
    """Scores and whether accepting is bad, without a reformer, ``(N, 2 K)``: K clean copies, then K attacked ones."""
    clean = _scores(results, detector, target, (CLEAN,) * len(attacks))
    bad = bad_slices(results, NO_REFORMER, target, attacks)
    scores = np.concatenate([clean, _scores(results, detector, target, attacks)], axis=1)
    return scores, np.concatenate([np.zeros_like(bad), bad], axis=1)


class _Measured:
    """Results with what several figures need: thresholds, decisions, Dice of slices."""

    def __init__(self, results: Results, resamples: int, seed: int) -> None:
        self.results = results
        self.groups = groups(results.settings)
        self.thresholds = {
            key: threshold_at_false_positive_rate(scores, FALSE_POSITIVE_RATE)
            for key, scores in results.calibration.items()
        }
        self.slices = SubjectResampling(results.subject, resamples=resamples, seed=seed)
        _, first = np.unique(results.volume, return_index=True)
        self.volumes = SubjectResampling(results.subject[first], resamples=resamples, seed=seed)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """No defence, each reformer by itself, and the pairs of Table 2."""
        yield NO_DETECTOR, NO_REFORMER
        for reformer in dict.fromkeys(reformer for _, reformer in self.results.pairs):
            yield NO_DETECTOR, reformer
        yield from self.results.pairs

    def members(self, group: str) -> tuple[str, ...]:
        return (CLEAN,) if group == CLEAN else self.groups[group][1]

    def detection(self, detector: str, target: str, group: str) -> Figures:
        attacks = self.groups[group][1]
        clean, attacked = self.results.scores[detector, target, CLEAN], _scores(self.results, detector, target, attacks)
        found = {
            "auc": self.slices.roc_auc(clean, attacked),
            "tpr_at_5": self.slices.true_positive_rate(clean, attacked, false_positive_rate=FALSE_POSITIVE_RATE),
        }
        if (detector, target) in self.thresholds:
            threshold = self.thresholds[detector, target]
            found["tpr"] = self.slices.mean(attacked > threshold)
            found["fpr"] = self.slices.mean(clean > threshold)
        if group == pooled() and self.has_guard(NO_DETECTOR, NO_REFORMER, target, group):
            half = half_attacked(self.results, detector, target, attacks)
            found["aurc"] = self.slices.area_under_risk_coverage(*half)
        return found

    def has_guard(self, detector: str, reformer: str, target: str, group: str) -> bool:
        attacks = self.members(group)
        counted = all((reformer, target, attack) in self.results.counts for attack in attacks)
        scored = detector == NO_DETECTOR or (
            (detector, target) in self.thresholds
            and all((detector, target, attack) in self.results.scores for attack in attacks)
        )
        return counted and scored and (NO_REFORMER, target, CLEAN) in self.results.counts

    def guard(self, detector: str, reformer: str, target: str, group: str) -> Figures:
        results, attacks = self.results, self.members(group)
        accepted = np.ones((len(results.volume), len(attacks)), bool)
        if detector != NO_DETECTOR:
            accepted = _scores(self.results, detector, target, attacks) <= self.thresholds[detector, target]
        dice = self._dice(reformer, target, attacks, accepted)
        found = {
            "accepted_and_bad": self.slices.mean(accepted & bad_slices(results, reformer, target, attacks)),
            "coverage": self.slices.mean(accepted),
            "dice": self.volumes.mean(dice),
        }
        if all((reformer, target, attack) in results.soft_dice for attack in attacks):
            soft = np.stack([results.soft_dice[reformer, target, attack] for attack in attacks], axis=1)
            found["soft_dice"] = self.slices.mean(np.where(accepted, soft, np.nan))
        if group == CLEAN:
            found["clean_cost"] = self.volumes.mean(self._dice(NO_REFORMER, target, attacks, accepted) - dice)
        return found

    def _dice(
        self, reformer: str, target: str, attacks: tuple[str, ...], accepted: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Dice ``(V,)`` of the accepted slices of each volume, all its attacked copies together."""
        counts = np.concatenate([self.results.counts[reformer, target, attack] for attack in attacks])
        return volume_dice(counts, np.tile(self.results.volume, len(attacks)), accepted.T.ravel())

    def attack(self, target: str, group: str) -> Figures:
        attacks, found = self.groups[group][1], {}
        for name, by_attack in (("norm", self.results.norm), ("flipped", self.results.flipped)):
            if all((target, attack) in by_attack for attack in attacks):
                found[name] = self.slices.mean(np.stack([by_attack[target, attack] for attack in attacks], axis=1))
        return found


def _scores(results: Results, detector: str, target: str, attacks: tuple[str, ...]) -> _Floats:
    """Scores ``(N, K)`` under K attacks."""
    return np.stack([results.scores[detector, target, attack] for attack in attacks], axis=1)


def _slice_dice(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean Dice ``(N,)`` over the structures of each slice; 1 where neither label nor prediction has any."""
    mean = dice_from_counts(torch.from_numpy(counts))[:, 1:].nanmean(dim=-1).numpy()
    return np.nan_to_num(mean, nan=1.0)


def _mean(figures: list[Figures]) -> Figures:
    names = [name for name in figures[0] if all(name in each for each in figures)]
    return {name: mean_of([each[name] for each in figures]) for name in names}
