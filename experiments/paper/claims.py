"""What the paper claims, and the bars that were set beforehand, tested on the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.paper.claim_texts import BAR_REASONS, CLAIM_TEXTS
from experiments.paper.quantities import HALF, MEAN, NO_DETECTOR, Quantities, pooled
from experiments.paper.results import CLEAN, NO_REFORMER, Results
from experiments.paper.tables import Row, columns
from experiments.settings import AttackSetting
from monai_advdefense.metrics import Resampled, mean_of

__all__ = ["PAPER_AVERAGES", "bar_rows", "claim_rows", "comparison_rows", "verdict"]

PAPER_AVERAGES = {
    "Autoencoder I": 0.5644,
    "Autoencoder II": 0.5512,
    "UNet image": 0.9148,
    "DenseNet image": 0.8769,
    "UNet unshifted": 0.5315,
    "DenseNet unshifted": 0.5441,
    "UNet shifted": 0.9809,
    "DenseNet shifted": 0.9538,
}
"""ROC-AUC of each detector in Table 1 of the paper, mean over its target networks, on images with the skull."""

SETTINGS = ("brain", "whole", "half_clean")
"""On which slices a claim is tested: attacked inside the brain, which counts; attacked anywhere, as in the paper; for
the Dice of accepted slices also brain only with as many clean slices, as a detector that finds every attack accepts no
attacked slice and has no Dice of these."""

# A larger share of resamples without a figure than this, and its interval is not trusted.
_MOST_DROPPED = 0.05
_OF_ACCEPTED_SLICES = ("pair_13_best", "magnet_below_none")
_AUTOENCODERS = ("Autoencoder I", "Autoencoder II")
_NETWORKS = ("UNet", "DenseNet")
_COMBINED = "UNet shifted + divergence"

Side = tuple[str, Resampled | float | None]


@dataclass(frozen=True)
class _Comparison:
    """One pair of figures of which the first should be the higher one; None is not measured."""

    higher: Side
    lower: Side

    @property
    def difference(self) -> Resampled | None:
        first, second = self.higher[1], self.lower[1]
        return first - second if isinstance(first, Resampled) and second is not None else None


def verdict(difference: Resampled | None) -> str:
    """Whether a difference lies above 0: yes, no (below 0), undecided (0 is in its 95 % interval), or not measured."""
    if difference is None or not np.isfinite(difference.estimate):
        return "not measured"
    interval = difference.interval()
    if interval.dropped > _MOST_DROPPED * difference.values.size:
        return "undecided"
    return "yes" if interval.low > 0 else "no" if interval.high < 0 else "undecided"


def comparison_rows(results: Results, found: Quantities) -> list[Row]:
    """Each comparison that a claim rests on, in each setting, with its verdict."""
    rows = []
    for claim, setting, comparison in _every(results, found):
        sides = (("higher", comparison.higher), ("lower", comparison.lower))
        figures = {name: _figure(side[1]) for name, side in sides}
        row: Row = {
            "claim": claim,
            "setting": setting,
            "verdict": verdict(comparison.difference),
            "expected_higher": comparison.higher[0],
            "expected_lower": comparison.lower[0],
        }
        for name, figure in figures.items():
            row |= columns({name: figure}) if figure is not None else {}
        if comparison.difference is not None:
            row |= columns({"difference": comparison.difference})
        rows.append(row)
    return rows


def claim_rows(comparisons: Sequence[Row]) -> list[Row]:
    """Each claim with its verdict: yes if every comparison says so, no if any says no, otherwise undecided."""
    rows = []
    for claim, text in CLAIM_TEXTS.items():
        row: Row = {"claim": claim, "text": text.text, "reading": text.reading, "reason": text.reason}
        for setting in SETTINGS:
            verdicts = [each["verdict"] for each in comparisons if (each["claim"], each["setting"]) == (claim, setting)]
            row |= {
                f"verdict_{setting}": _together(verdicts) if verdicts else "",
                f"comparisons_{setting}": str(len(verdicts)),
            }
            row |= {f"{name}_{setting}": str(verdicts.count(name)) for name in ("yes", "no", "undecided")}
        rows.append(row)
    return rows


def bar_rows(found: Quantities) -> list[Row]:
    """Areas under the ROC curve with the bars set for them, mean over the target networks; some have none."""
    rows = []
    wanted = [("UNet shifted", 1.0, 0.95), (_COMBINED, 1.0, 0.99), (_COMBINED, 0.5, 0.97), (_COMBINED, 0.125, None)]
    for detector, strength, bar in wanted:
        for target in "ABC":
            limit = None if target == "C" else bar
            group = AttackSetting("dag", target, strength, "brain").name
            figure = found.detection.get((detector, MEAN, group), {}).get("auc")
            row: Row = {"detector": detector, "type": target, "strength": f"{strength:g}"}
            row["bar"] = "" if limit is None else f"{limit:g}"
            row["verdict"] = "not measured" if figure is None else "no bar" if limit is None else "missed"
            if figure is not None:
                row["verdict"] = "met" if limit is not None and figure.estimate >= limit else row["verdict"]
                row |= columns({"auc": figure})
            rows.append(row | {"reason": BAR_REASONS[detector]})
    return rows


def _together(verdicts: Sequence[str]) -> str:
    if set(verdicts) == {"not measured"}:
        return "not measured"
    if "no" in verdicts:
        return "no"
    return "yes" if set(verdicts) == {"yes"} else "undecided"


def _figure(side: Resampled | float | None) -> Resampled | None:
    return Resampled(side, np.empty(0)) if isinstance(side, float) else side


def _every(results: Results, found: Quantities) -> Iterator[tuple[str, str, _Comparison]]:
    for setting, group in zip(SETTINGS, (pooled(), pooled(support="whole"), pooled(types=HALF)), strict=True):
        for claim, comparisons in _Figures(results, found, group).claims().items():
            if setting != "half_clean" or claim in _OF_ACCEPTED_SLICES:
                for comparison in comparisons:
                    yield claim, setting, comparison


@dataclass(frozen=True)
class _Figures:
    """The figures that the claims compare: all types of DAG at full strength, mean over the target networks."""

    results: Results
    found: Quantities
    group: str

    def claims(self) -> dict[str, list[_Comparison]]:
        """Comparisons of each claim, the order of the paper."""
        return {
            "shifted_above_unshifted": [
                _Comparison(self.area(f"{name} shifted"), self.area(f"{name} unshifted")) for name in _NETWORKS
            ],
            "unshifted_above_chance": [
                _Comparison(self.area(f"{name} unshifted"), ("chance", 0.5)) for name in _NETWORKS
            ],
            "shifted_above_image": [
                _Comparison(self.area(f"{name} shifted"), self.area(f"{name} image")) for name in _NETWORKS
            ],
            "networks_above_autoencoders": [
                _Comparison(self.area(f"{name} image"), self.area(autoencoder))
                for name in _NETWORKS
                for autoencoder in _AUTOENCODERS
            ],
            "unet_reformer_best": [
                _Comparison(self.reformed("UNet"), self.reformed(other)) for other in (*_AUTOENCODERS, "DenseNet")
            ],
            "pair_13_best": [self.pair_13(target) for target in self.results.targets],
            "magnet_below_none": [self.magnet()],
            "skip_connections": self.skip_connections(),
        }

    def area(self, detector: str) -> Side:
        figures = self.found.detection.get((detector, MEAN, self.group), {})
        return f"{detector} detector, AUC", figures.get("auc")

    def reformed(self, reformer: str) -> Side:
        figures = self.found.guards.get((NO_DETECTOR, reformer, MEAN, self.group), {})
        return f"{reformer} reformer, Dice", figures.get("dice")

    def pair(self, number: int, target: str) -> Resampled | None:
        """Dice of the slices that a pair of Table 2 accepts; None if it accepts none."""
        if number > len(self.results.pairs):
            return None
        dice = self.found.guards.get((*self.results.pairs[number - 1], target, self.group), {}).get("dice")
        return dice if dice is not None and np.isfinite(dice.estimate) else None

    def pair_13(self, target: str) -> _Comparison:
        others = {number: self.pair(number, target) for number in range(1, 17) if number != 13}
        known = {number: dice for number, dice in others.items() if dice is not None}
        best: Side = ("best other pair", None)
        if known:
            first = max(known, key=lambda number: known[number].estimate)
            # On each resample the best of the others, which need not be the same one.
            values = np.fmax.reduce([dice.values for dice in known.values()])
            best = (f"pair {first}, the best other, {target}, Dice", Resampled(known[first].estimate, values))
        return _Comparison((f"pair 13, {target}, Dice", self.pair(13, target)), best)

    def magnet(self) -> _Comparison:
        pairs = [self.pair(number, "UNet") for number in range(1, 5)]
        known = [dice for dice in pairs if dice is not None]
        none = self.found.guards.get((NO_DETECTOR, NO_REFORMER, "UNet", self.group), {}).get("dice")
        magnet = mean_of(known) if known else None
        return _Comparison(("no defence, UNet, Dice", none), ("MagNet, mean of pairs 1 to 4, UNet, Dice", magnet))

    def skip_connections(self) -> list[_Comparison]:
        detectors = [
            _Comparison(_mean("with skips, detectors, AUC", first), _mean("without, detectors, AUC", second))
            for first, second in [
                ([self.area(f"{name} image") for name in _NETWORKS], [self.area(name) for name in _AUTOENCODERS])
            ]
        ]
        reformers = _Comparison(
            _mean("with skips, reformers, Dice", [self.reformed(name) for name in _NETWORKS]),
            _mean("without, reformers, Dice", [self.reformed(name) for name in _AUTOENCODERS]),
        )
        targets = [
            _Comparison(self.kept(name), self.kept("SegNet")) for name in _NETWORKS if name in self.results.targets
        ]
        return [*detectors, reformers, *targets]

    def kept(self, target: str) -> Side:
        """Change of Dice under attack without defence, below 0."""
        key = (NO_DETECTOR, NO_REFORMER, target)
        before = self.found.guards.get((*key, CLEAN), {}).get("dice")
        after = self.found.guards.get((*key, self.group), {}).get("dice")
        return f"{target} target, change of Dice", None if before is None or after is None else after - before


def _mean(name: str, sides: Sequence[Side]) -> Side:
    figures = [figure for _, figure in sides if isinstance(figure, Resampled)]
    return name, mean_of(figures) if len(figures) == len(sides) else None
