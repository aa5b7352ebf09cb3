"""From measurements to quantities, each with its resamples, so that tables and claims rest on the same draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    """All quantities of the experiments; what was not measured is not there.

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
    detection: dict[tuple[str, str, str], Named]
    guards: dict[tuple[str, str, str, str], Named]
    attacks: dict[tuple[str, str], Named]


def pooled(strength: float = 1.0, support: str = "brain", types: str = POOLED) -> str:
    """Name of the group of all types of DAG at a strength."""
    return AttackSetting("dag", types, strength, support).name


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


def quantities(results: Results, *, resamples: int = 1000, seed: int = 0) -> Quantities:
    """Compute all quantities.

    Raises:
        CalibrationError: if a detector has too few calibration scores for a threshold.
        InputError: if a score is not finite.
    """
    measured, targets = _Measured(results, resamples, seed), results.targets
    detection = {
        (detector, target, group): measured.detection(detector, target, group)
        for detector in results.detectors
        for target in targets
        for group in measured.groups
    }
    guards = {
        (*pair, target, group): measured.guard(*pair, target, group)
        for pair in measured.pairs()
        for target in targets
        for group in (CLEAN, *measured.groups)
    }
    attacks = {(target, group): measured.attack(target, group) for target in targets for group in measured.groups}
    return Quantities(
        measured.groups,
        measured.thresholds,
        _with_means(detection, 1, targets),
        _with_means(guards, 2, targets),
        {key: found for key, found in attacks.items() if found},
    )


def half_attacked(
    results: Results, detector: str, target: str, attacks: Sequence[str]
) -> tuple[Floats, npt.NDArray[np.bool_]] | None:
    """Scores and whether accepting is bad, without a reformer, ``(N, 2 K)``: K clean copies, then K attacked ones."""
    scores = _stacked(results.scores, [(detector, target, name) for name in (*(CLEAN for _ in attacks), *attacks)])
    bad = _bad(results, NO_REFORMER, target, attacks)
    return None if scores is None or bad is None else (scores, np.concatenate([np.zeros_like(bad), bad], axis=1))


class _Measured:
    """Results with what several quantities need: groups, thresholds, resamplings. What was not measured is None."""

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
        reformers = dict.fromkeys(reformer for _, reformer in self.results.pairs)
        yield from dict.fromkeys([(NO_DETECTOR, NO_REFORMER), *((NO_DETECTOR, name) for name in reformers)])
        yield from self.results.pairs

    def detection(self, detector: str, target: str, group: str) -> Named | None:
        attacks = self.groups[group][1]
        clean = self.results.scores.get((detector, target, CLEAN))
        attacked = _stacked(self.results.scores, [(detector, target, attack) for attack in attacks])
        if clean is None or attacked is None or CLEAN in attacks:
            return None
        found = {
            "auc": self.slices.roc_auc(clean, attacked),
            "tpr_at_5": self.slices.true_positive_rate(clean, attacked, false_positive_rate=FALSE_POSITIVE_RATE),
        }
        if (detector, target) in self.thresholds:
            threshold = self.thresholds[detector, target]
            found |= {"tpr": self.slices.mean(attacked > threshold), "fpr": self.slices.mean(clean > threshold)}
        half = half_attacked(self.results, detector, target, attacks)
        if group == pooled() and half is not None:
            found["aurc"] = self.slices.area_under_risk_coverage(*half)
        return found

    def guard(self, detector: str, reformer: str, target: str, group: str) -> Named | None:
        attacks = (CLEAN,) if group == CLEAN else self.groups[group][1]
        bad = _bad(self.results, reformer, target, attacks)
        accepted = self._accepted(detector, target, attacks)
        if bad is None or accepted is None:
            return None
        dice = self._dice(reformer, target, attacks, accepted)
        found = {
            "accepted_and_bad": self.slices.mean(accepted & bad),
            "coverage": self.slices.mean(accepted),
            "dice": self.volumes.mean(dice),
        }
        soft = _stacked(self.results.soft_dice, [(reformer, target, attack) for attack in attacks])
        if soft is not None:
            found["soft_dice"] = self.slices.mean(np.where(accepted, soft, np.nan))
        if group == CLEAN:
            found["clean_cost"] = self.volumes.mean(self._dice(NO_REFORMER, target, attacks, accepted) - dice)
        return found

    def attack(self, target: str, group: str) -> Named:
        keys, found = [(target, attack) for attack in self.groups[group][1]], {}
        for name, by_attack in (("norm", self.results.norm), ("flipped", self.results.flipped)):
            values = _stacked(by_attack, keys)
            if values is not None:
                found[name] = self.slices.mean(values)
        return found

    def _accepted(self, detector: str, target: str, attacks: Sequence[str]) -> npt.NDArray[np.bool_] | None:
        """Decisions ``(N, K)``."""
        if detector == NO_DETECTOR:
            return np.ones((len(self.results.volume), len(attacks)), bool)
        scores = _stacked(self.results.scores, [(detector, target, attack) for attack in attacks])
        threshold = self.thresholds.get((detector, target))
        return None if scores is None or threshold is None else guard_accepts(scores, threshold)

    def _dice(
        self, reformer: str, target: str, attacks: Sequence[str], accepted: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Dice ``(V,)`` of the accepted slices of each volume, all its attacked copies together."""
        counts = np.concatenate([self.results.counts[reformer, target, attack] for attack in attacks])
        return volume_dice(counts, np.tile(self.results.volume, len(attacks)), accepted.T.ravel())


def _stacked(measured: Mapping[Key, npt.NDArray[Any]], keys: Sequence[Key]) -> npt.NDArray[Any] | None:
    """Arrays ``(N, ...)`` as ``(N, K, ...)``."""
    found = [measured[key] for key in keys if key in measured]
    return np.stack(found, axis=1) if len(found) == len(keys) else None


def _bad(results: Results, reformer: str, target: str, attacks: Sequence[str]) -> npt.NDArray[np.bool_] | None:
    """Whether each slice under each attack ``(N, K)`` is bad, see :func:`~experiments.dice.is_bad`."""
    clean = results.counts.get((NO_REFORMER, target, CLEAN))
    under = [results.counts.get((reformer, target, attack)) for attack in attacks]
    if clean is None or any(counts is None for counts in under):
        return None
    return np.stack([is_bad(clean, counts) for counts in under if counts is not None], axis=1)


def _with_means(measured: Mapping[Key, Named | None], place: int, targets: Sequence[str]) -> dict[Key, Named]:
    """What was measured, and the mean over the target networks, of which ``place`` of a key names one."""
    found: dict[Any, Named] = {key: named for key, named in measured.items() if named}
    for before, after in dict.fromkeys((key[:place], key[place + 1 :]) for key in found):
        each = [found[key] for target in targets if (key := (*before, target, *after)) in found]
        if len(each) == len(targets):
            names = [name for name in each[0] if all(name in named for named in each)]
            found[*before, MEAN, *after] = {name: mean_of([named[name] for named in each]) for name in names}
    return found
