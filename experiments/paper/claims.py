"""What the paper claims, and the bars that were set beforehand, tested on the quantities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.attacks import TYPES, AttackSetting
from experiments.paper.names import AUTOENCODERS, COMBINED, HALF, MEAN, NETWORKS, NO_DETECTOR, NO_REFORMER
from experiments.paper.quantities import Quantities, pooled
from experiments.paper.results import Results
from experiments.paper.texts import TEXTS
from experiments.tables import CLEAN, Row, quantity_columns, select
from monai_advdefense.metrics import Resampled, mean_of

SETTINGS = {"brain": pooled(), "whole": pooled(support="whole"), "half_clean": pooled(types=HALF)}
"""On which slices a claim is tested: attacked inside the brain, which counts; attacked anywhere, as in the paper; for
the Dice of accepted slices also brain only with as many clean slices, as a detector that finds every attack accepts no
attacked slice and has no Dice of these."""

BARS = (("UNet shifted", 1.0, 0.95), (COMBINED, 1.0, 0.99), (COMBINED, 0.5, 0.97), (COMBINED, 0.125, math.nan))
"""Detector, strength, and least ROC-AUC under types A and B; type C has no bar."""

# A larger share of resamples without a quantity than this, and its interval is not trusted.
_MOST_DROPPED = 0.05
_OF_ACCEPTED_SLICES = ("pair_13_best", "magnet_below_none")

Side = tuple[str, Resampled | float | None]


@dataclass(frozen=True)
class _Comparison:
    """One pair of quantities of which the first should be the higher one; None is not measured."""

    higher: Side
    lower: Side

    @property
    def difference(self) -> Resampled | None:
        first, second = self.higher[1], self.lower[1]
        return first - second if isinstance(first, Resampled) and second is not None else None

    def columns(self) -> Row:
        row: Row = {"expected_higher": self.higher[0], "expected_lower": self.lower[0]}
        measured = {"higher": self.higher[1], "lower": self.lower[1], "difference": self.difference}
        for name, quantity in measured.items():
            # A number such as that of chance has no interval.
            known = Resampled(quantity, np.empty(0)) if isinstance(quantity, float) else quantity
            row |= {} if known is None else quantity_columns({name: known})
        return row


def verdict(difference: Resampled | None) -> str:
    """Whether a difference lies above 0: yes, no (below 0), undecided (0 is in its 95 % interval), or not measured."""
    if difference is None or not np.isfinite(difference.estimate):
        return "not measured"
    interval = difference.interval()
    if interval.dropped > _MOST_DROPPED * difference.values.size:
        return "undecided"
    return "yes" if interval.low > 0 else "no" if interval.high < 0 else "undecided"


def comparison_table(results: Results, found: Quantities) -> pd.DataFrame:
    """Each comparison that a claim rests on, in each setting, with its verdict."""
    return pd.DataFrame(
        [
            {"claim": claim, "setting": setting, "verdict": verdict(each.difference), **each.columns()}
            for claim, setting, each in _every(results, found)
        ]
    )


def claim_table(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Each claim with its verdict: yes if every comparison says so, no if any says no, otherwise undecided."""
    rows = []
    for claim, texts in TEXTS["claims"].items():
        row: Row = {"claim": claim, **texts}
        for setting in SETTINGS:
            verdicts = list(select(comparisons, claim=claim, setting=setting)["verdict"])
            row |= {f"verdict_{setting}": _together(verdicts), f"comparisons_{setting}": len(verdicts)}
            row |= {f"{name}_{setting}": verdicts.count(name) for name in ("yes", "no", "undecided")}
        rows.append(row)
    return pd.DataFrame(rows)


def bar_table(found: Quantities) -> pd.DataFrame:
    """Areas under the ROC curve with the bars set for them, mean over the target networks; some have none."""
    rows = []
    for detector, strength, bar in BARS:
        for kind in TYPES:
            least = math.nan if kind == "C" else bar
            group = AttackSetting("dag", kind, strength).name
            area = found.detection.get((detector, MEAN, group), {}).get("auc")
            row: Row = {"detector": detector, "type": kind, "strength": strength, "bar": least}
            row["verdict"] = _against(least, area)
            row |= {} if area is None else quantity_columns({"auc": area})
            rows.append(row | {"reason": TEXTS["bar_reasons"][detector]})
    return pd.DataFrame(rows)


def _against(bar: float, area: Resampled | None) -> str:
    if area is None:
        return "not measured"
    return "no bar" if math.isnan(bar) else "met" if area.estimate >= bar else "missed"


def _together(verdicts: Sequence[str]) -> str:
    if not verdicts:
        return ""
    if set(verdicts) == {"not measured"}:
        return "not measured"
    return "no" if "no" in verdicts else "yes" if set(verdicts) == {"yes"} else "undecided"


def _every(results: Results, found: Quantities) -> Iterator[tuple[str, str, _Comparison]]:
    for setting, group in SETTINGS.items():
        for claim, comparisons in _Claims(results, found, group).comparisons().items():
            if setting != "half_clean" or claim in _OF_ACCEPTED_SLICES:
                yield from ((claim, setting, comparison) for comparison in comparisons)


@dataclass(frozen=True)
class _Claims:
    """The quantities that the claims compare: all types of DAG at full strength, mean over the target networks."""

    results: Results
    found: Quantities
    group: str

    def comparisons(self) -> dict[str, list[_Comparison]]:
        """Comparisons of each claim, the order of the paper."""
        area, reformed = self.area, self.reformed
        others = ("unshifted", "image")
        unshifted, image = (
            [(area(f"{name} shifted"), area(f"{name} {other}")) for name in NETWORKS] for other in others
        )
        deep = [(area(f"{name} image"), area(autoencoder)) for name in NETWORKS for autoencoder in AUTOENCODERS]
        sides: dict[str, Sequence[tuple[Side, Side]]] = {
            "shifted_above_unshifted": unshifted,
            "unshifted_above_chance": [(area(f"{name} unshifted"), ("chance", 0.5)) for name in NETWORKS],
            "shifted_above_image": image,
            "networks_above_autoencoders": deep,
            "unet_reformer_best": [(reformed("UNet"), reformed(other)) for other in (*AUTOENCODERS, "DenseNet")],
            "pair_13_best": [self.pair_13(target) for target in self.results.targets],
            "magnet_below_none": [self.magnet()],
            "skip_connections": self.skip_connections(),
        }
        return {claim: [_Comparison(*each) for each in pairs] for claim, pairs in sides.items()}

    def area(self, detector: str) -> Side:
        named = self.found.detection.get((detector, MEAN, self.group), {})
        return f"{detector} detector, AUC", named.get("auc")

    def reformed(self, reformer: str) -> Side:
        named = self.found.guards.get((NO_DETECTOR, reformer, MEAN, self.group), {})
        return f"{reformer} reformer, Dice", named.get("dice")

    def pair(self, number: int, target: str) -> Resampled | None:
        """Dice of the slices that a pair of Table 2 accepts; None if it accepts none."""
        if number > len(self.results.pairs):
            return None
        dice = self.found.guards.get((*self.results.pairs[number - 1], target, self.group), {}).get("dice")
        return dice if dice is not None and np.isfinite(dice.estimate) else None

    def pair_13(self, target: str) -> tuple[Side, Side]:
        others = {number: self.pair(number, target) for number in range(1, 17) if number != 13}
        known = {number: dice for number, dice in others.items() if dice is not None}
        best: Side = ("best other pair", None)
        if known:
            first = max(known, key=lambda number: known[number].estimate)
            # On each resample the best of the others, which need not be the same one.
            values = np.fmax.reduce([dice.values for dice in known.values()])
            best = (f"pair {first}, the best other, {target}, Dice", Resampled(known[first].estimate, values))
        return (f"pair 13, {target}, Dice", self.pair(13, target)), best

    def magnet(self) -> tuple[Side, Side]:
        pairs = [self.pair(number, "UNet") for number in range(1, 5)]
        known = [dice for dice in pairs if dice is not None]
        none = self.found.guards.get((NO_DETECTOR, NO_REFORMER, "UNet", self.group), {}).get("dice")
        magnet = mean_of(known) if known else None
        return ("no defence, UNet, Dice", none), ("MagNet, mean of pairs 1 to 4, UNet, Dice", magnet)

    def skip_connections(self) -> list[tuple[Side, Side]]:
        image = [self.area(f"{name} image") for name in NETWORKS]
        coarse = [self.area(name) for name in AUTOENCODERS]
        reformers = [[self.reformed(name) for name in names] for names in (NETWORKS, AUTOENCODERS)]
        return [
            (_mean("with skips, detectors, AUC", image), _mean("without, detectors, AUC", coarse)),
            (_mean("with skips, reformers, Dice", reformers[0]), _mean("without, reformers, Dice", reformers[1])),
            *((self.kept(name), self.kept("SegNet")) for name in NETWORKS if name in self.results.targets),
        ]

    def kept(self, target: str) -> Side:
        """Change of Dice under attack without defence, below 0."""
        key = (NO_DETECTOR, NO_REFORMER, target)
        before = self.found.guards.get((*key, CLEAN), {}).get("dice")
        after = self.found.guards.get((*key, self.group), {}).get("dice")
        return f"{target} target, change of Dice", None if before is None or after is None else after - before


def _mean(name: str, sides: Sequence[Side]) -> Side:
    known = [quantity for _, quantity in sides if isinstance(quantity, Resampled)]
    return name, mean_of(known) if len(known) == len(sides) else None
