"""What the paper claims, and the bars that were set beforehand, tested on the quantities."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
            {"claim": claim, "setting": setting, **_compared(*sides)}
            for setting, group in SETTINGS.items()
            for claim, comparisons in _Claims(results, found, group).comparisons().items()
            if setting != "half_clean" or claim in _OF_ACCEPTED_SLICES
            for sides in comparisons
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


def _compared(expected_higher: Side, expected_lower: Side) -> Row:
    (higher_name, higher), (lower_name, lower) = expected_higher, expected_lower
    difference = higher - lower if isinstance(higher, Resampled) and lower is not None else None
    row: Row = {"verdict": verdict(difference), "expected_higher": higher_name, "expected_lower": lower_name}
    for name, quantity in (("higher", higher), ("lower", lower), ("difference", difference)):
        # A number such as that of chance has no interval.
        known = Resampled(quantity, np.empty(0)) if isinstance(quantity, float) else quantity
        row |= {} if known is None else quantity_columns({name: known})
    return row


@dataclass(frozen=True)
class _Claims:
    """The quantities that the claims compare: all types of DAG at full strength, mean over the target networks."""

    results: Results
    found: Quantities
    group: str

    def comparisons(self) -> dict[str, Sequence[tuple[Side, Side]]]:
        """Comparisons of each claim, in the order of the paper; of each the first should be the higher one."""
        area, reformed = self.area, self.reformed
        return {
            "shifted_above_unshifted": [(area(f"{name} shifted"), area(f"{name} unshifted")) for name in NETWORKS],
            "unshifted_above_chance": [(area(f"{name} unshifted"), ("chance", 0.5)) for name in NETWORKS],
            "shifted_above_image": [(area(f"{name} shifted"), area(f"{name} image")) for name in NETWORKS],
            "networks_above_autoencoders": [
                (area(f"{name} image"), area(autoencoder)) for name in NETWORKS for autoencoder in AUTOENCODERS
            ],
            "unet_reformer_best": [(reformed("UNet"), reformed(other)) for other in (*AUTOENCODERS, "DenseNet")],
            "pair_13_best": [self.pair_13(target) for target in self.results.targets],
            "magnet_below_none": [self.magnet()],
            "skip_connections": self.skip_connections(),
        }

    def area(self, detector: str) -> Side:
        return f"{detector} detector, AUC", self.found.detection.get((detector, MEAN, self.group), {}).get("auc")

    def dice(self, detector: str, reformer: str, target: str, group: str) -> Resampled | None:
        return self.found.guards.get((detector, reformer, target, group), {}).get("dice")

    def reformed(self, reformer: str) -> Side:
        return f"{reformer} reformer, Dice", self.dice(NO_DETECTOR, reformer, MEAN, self.group)

    def pairs(self, target: str, numbers: range) -> dict[int, Resampled]:
        """Dice of the slices that pairs of Table 2 accept, without those that accept none."""
        known = {number: pair for number, pair in enumerate(self.results.pairs, start=1) if number in numbers}
        found = {number: self.dice(*pair, target, self.group) for number, pair in known.items()}
        return {number: dice for number, dice in found.items() if dice is not None and np.isfinite(dice.estimate)}

    def pair_13(self, target: str) -> tuple[Side, Side]:
        others = self.pairs(target, range(1, 17))
        own = others.pop(13, None)
        best: Side = ("best other pair", None)
        if others:
            first = max(others, key=lambda number: others[number].estimate)
            # On each resample the best of the others, which need not be the same one.
            values = np.fmax.reduce([dice.values for dice in others.values()])
            best = (f"pair {first}, the best other, {target}, Dice", Resampled(others[first].estimate, values))
        return (f"pair 13, {target}, Dice", own), best

    def magnet(self) -> tuple[Side, Side]:
        magnet = list(self.pairs("UNet", range(1, 5)).values())
        none = self.dice(NO_DETECTOR, NO_REFORMER, "UNet", self.group)
        mean = mean_of(magnet) if magnet else None
        return ("no defence, UNet, Dice", none), ("MagNet, mean of pairs 1 to 4, UNet, Dice", mean)

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
        before, after = (self.dice(NO_DETECTOR, NO_REFORMER, target, group) for group in (CLEAN, self.group))
        return f"{target} target, change of Dice", None if before is None or after is None else after - before


def _mean(name: str, sides: Sequence[Side]) -> Side:
    known = [quantity for _, quantity in sides if isinstance(quantity, Resampled)]
    return name, mean_of(known) if len(known) == len(sides) else None
