"""From measurements to quantities, each with its resamples, so that tables and claims rest on the same draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from experiments.attacks import TYPES, AttackSetting
from experiments.dice import is_bad, volume_dice
from experiments.paper.names import FALSE_POSITIVE_RATE, HALF, MEAN, NO_DETECTOR, NO_REFORMER, POOLED
from experiments.paper.results import Floats, Results
from experiments.slices import guard_accepts
from experiments.tables import CLEAN
from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.metrics import Resampled, SubjectResampling, mean_of

Named: TypeAlias = dict[str, Resampled]
Key = TypeVar("Key", bound=tuple[str, ...])


@dataclass(frozen=True)
class Quantities:
    """All quantities of the experiments; behind a reformer, of the attacks that were measured there.

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
        attacks: by (name of what was attacked, group): ``norm`` and ``flipped``.
    """

    groups: dict[str, tuple[AttackSetting, tuple[str, ...]]]
    thresholds: dict[tuple[str, str], float]
    detection: dict[tuple[str, str, str], Named]
    guards: dict[tuple[str, str, str, str], Named]
    attacks: dict[tuple[str, str], Named]


def pooled(*, support: str = "brain", types: str = POOLED) -> str:
    """Name of the group of all types of DAG at full strength."""
    return AttackSetting("dag", types, 1.0, support).name


def groups(settings: Mapping[str, AttackSetting]) -> dict[str, tuple[AttackSetting, tuple[str, ...]]]:
    """Every attack by itself, and before each three types of DAG all of them together."""
    found: dict[str, tuple[AttackSetting, tuple[str, ...]]] = {}
    for name, setting in settings.items():
        attacks = [AttackSetting("dag", kind, setting.strength, setting.support).name for kind in TYPES]
        if setting.form == "dag" and all(attack in settings for attack in attacks):
            half = tuple(member for attack in attacks for member in (CLEAN, attack))
            for members, types in ((tuple(attacks), POOLED), (half, HALF)):
                together = AttackSetting("dag", types, setting.strength, setting.support)
                found.setdefault(together.name, (together, members))
        found[name] = (setting, (name,))
    return found


def quantities(results: Results, *, resamples: int = 1000) -> Quantities:
    """Compute all quantities.

    Raises:
        CalibrationError: if a detector has too few calibration scores for a threshold.
        InputError: if a score is not finite.
    """
    measured, targets = _Measured(results, resamples), results.targets
    detection = {
        (detector, target, group): measured.detection(detector, target, group)
        for detector, target, group in product(results.detectors, targets, measured.without_clean)
    }
    guards = {
        (*pair, target, group): measured.guard(*pair, target, group)
        for pair, target, group in product(_pairs(results), targets, (CLEAN, *measured.groups))
        if measured.is_guarded(*pair, target, group)
    }
    attacked = dict.fromkeys(name for name, _ in results.norm)
    attacks = {(name, group): measured.attack(name, group) for name in attacked for group in measured.without_clean}
    detection, guards = _with_means(detection, 1, targets), _with_means(guards, 2, targets)
    return Quantities(measured.groups, measured.thresholds, detection, guards, attacks)


def half_attacked(
    results: Results, detector: str, target: str, attacks: Sequence[str]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Scores and whether accepting is bad, without a reformer, ``(N, 2 K)``: K clean copies, then K attacked ones."""
    scores = _stacked(results.scores, (detector, target), [*(CLEAN for _ in attacks), *attacks])
    bad = _bad(results, NO_REFORMER, target, attacks)
    return scores, np.concatenate([np.zeros_like(bad), bad], axis=1)


class _Measured:
    """Results with what several quantities need: groups, thresholds, resamplings."""

    def __init__(self, results: Results, resamples: int) -> None:
        self.results = results
        self.groups = groups(results.settings)
        self.without_clean = [group for group, (_, attacks) in self.groups.items() if CLEAN not in attacks]
        self.thresholds = {
            key: threshold_at_false_positive_rate(scores, FALSE_POSITIVE_RATE)
            for key, scores in results.calibration.items()
        }
        self.slices = SubjectResampling(results.subject, resamples=resamples)
        _, first = np.unique(results.volume, return_index=True)
        self.volumes = SubjectResampling(results.subject[first], resamples=resamples)

    def attacks(self, group: str) -> tuple[str, ...]:
        return (CLEAN,) if group == CLEAN else self.groups[group][1]

    def is_guarded(self, detector: str, reformer: str, target: str, group: str) -> bool:
        segmented = all((reformer, target, name) in self.results.counts for name in self.attacks(group))
        return segmented and detector in (NO_DETECTOR, *self.results.detectors)

    def detection(self, detector: str, target: str, group: str) -> Named:
        attacks, clean = self.attacks(group), self.results.scores[detector, target, CLEAN]
        attacked = _stacked(self.results.scores, (detector, target), attacks)
        threshold = self.thresholds[detector, target]
        found = {
            "auc": self.slices.roc_auc(clean, attacked),
            "tpr_at_5": self.slices.true_positive_rate(clean, attacked, false_positive_rate=FALSE_POSITIVE_RATE),
            "tpr": self.slices.mean(attacked > threshold),
            "fpr": self.slices.mean(clean > threshold),
        }
        if group == pooled():
            half = half_attacked(self.results, detector, target, attacks)
            found["aurc"] = self.slices.area_under_risk_coverage(*half)
        return found

    def guard(self, detector: str, reformer: str, target: str, group: str) -> Named:
        attacks = self.attacks(group)
        accepted = np.ones((len(self.results.volume), len(attacks)), bool)
        if detector != NO_DETECTOR:
            scores = _stacked(self.results.scores, (detector, target), attacks)
            accepted = guard_accepts(scores, self.thresholds[detector, target])
        bad, dice = _bad(self.results, reformer, target, attacks), self._dice(reformer, target, attacks, accepted)
        soft = _stacked(self.results.soft_dice, (reformer, target), attacks)
        found = {
            "accepted_and_bad": self.slices.mean(accepted & bad),
            "coverage": self.slices.mean(accepted),
            "dice": self.volumes.mean(dice),
            "soft_dice": self.slices.mean(np.where(accepted, soft, np.nan)),
        }
        if group == CLEAN:
            found["clean_cost"] = self.volumes.mean(self._dice(NO_REFORMER, target, attacks, accepted) - dice)
        return found

    def attack(self, target: str, group: str) -> Named:
        by_name = {"norm": self.results.norm, "flipped": self.results.flipped}
        return {
            name: self.slices.mean(_stacked(values, (target,), self.attacks(group))) for name, values in by_name.items()
        }

    def _dice(
        self, reformer: str, target: str, attacks: Sequence[str], accepted: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Dice ``(V,)`` of the accepted slices of each volume, all its attacked copies together."""
        counts = np.concatenate([self.results.counts[reformer, target, attack] for attack in attacks])
        return volume_dice(counts, np.tile(self.results.volume, len(attacks)), accepted.T.ravel())


def _pairs(results: Results) -> list[tuple[str, str]]:
    """No defence, each reformer by itself, and the pairs of Table 2."""
    alone = [(NO_DETECTOR, reformer) for _, reformer in results.pairs]
    return list(dict.fromkeys([(NO_DETECTOR, NO_REFORMER), *alone, *results.pairs]))


def _stacked(measured: Mapping[Any, npt.NDArray[Any]], key: tuple[str, ...], names: Sequence[str]) -> npt.NDArray[Any]:
    """Arrays ``(N, ...)`` of several names as ``(N, K, ...)``."""
    return np.stack([measured[(*key, name)] for name in names], axis=1)


def _bad(results: Results, reformer: str, target: str, attacks: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether each slice under each attack ``(N, K)`` is bad, see :func:`~experiments.dice.is_bad`."""
    clean = results.counts[NO_REFORMER, target, CLEAN]
    return np.stack([is_bad(clean, results.counts[reformer, target, attack]) for attack in attacks], axis=1)


def _with_means(measured: Mapping[Key, Named], place: int, targets: Sequence[str]) -> dict[Key, Named]:
    """What was measured, and the mean over the target networks, of which ``place`` of a key names one."""
    found: dict[Any, Named] = dict(measured)
    for before, after in dict.fromkeys((key[:place], key[place + 1 :]) for key in measured):
        each = [found[key] for target in targets if (key := (*before, target, *after)) in found]
        if len(each) == len(targets):
            names = [name for name in each[0] if all(name in named for named in each)]
            found[*before, MEAN, *after] = {name: mean_of([named[name] for named in each]) for name in names}
    return found
