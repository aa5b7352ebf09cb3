"""The files of numbers of a run, as the sections of the page read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from experiments.paper.blocks import Picture
from experiments.paper.cells import cell, pivot, read_rows
from experiments.paper.page_texts import CAPTIONS
from experiments.paper.quantities import HALF, MEAN, NO_DETECTOR, POOLED
from experiments.paper.results import NO_REFORMER
from experiments.paper.tables import Row

__all__ = ["FULL", "Numbers", "attack_of", "attacks_among", "caption", "guard_name", "target_name"]

FULL = {"form": "dag", "type": POOLED, "strength": "1", "support": "brain"}
"""All types of DAG together at full strength, brain only: the figures that count."""

_SETTING = ("form", "type", "strength", "support")


class Numbers:
    """Rows of all files in a folder, and what captions say of them.

    Args:
        folder: what :func:`~experiments.paper.output.write` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.facts = read_rows(folder / "facts.csv")[0]
        self.claims, self.comparisons, self.bars, self.detection, self.guards, self.attacks = (
            read_rows(folder / f"{name}.csv")
            for name in ("claims", "comparisons", "bars", "detection", "guards", "attacks")
        )
        self.targets = list(dict.fromkeys(row["target"] for row in self.guards if row["target"] != MEAN))
        self.detectors = list(dict.fromkeys(row["detector"] for row in self.detection))
        self._resamples = int(self.facts["resamples"])
        self._pictures = {path.stem for path in folder.glob("*.png")}

    def cell(self, row: Mapping[str, str] | None, name: str) -> str:
        """A figure of a row with its interval."""
        return cell(row, name, self._resamples)

    def pivot(
        self,
        rows: Sequence[Row],
        name: str,
        lines: Sequence[Mapping[str, str]],
        columns: Sequence[Mapping[str, str]],
    ) -> list[list[str]]:
        """One figure of many rows as a table."""
        return pivot(rows, name, lines, columns, self._resamples)

    def caption(self, name: str, slices: str) -> str:
        """Words of a table or figure with slices, subjects, sizes, seed, date and command."""
        return caption(self.facts, name, slices)

    @property
    def pooled_slices(self) -> str:
        """Number of slices behind the figures over all types of DAG."""
        attacked = next((row["slices"] for row in self.guards if attack_of(row) == FULL), "0")
        return f"{self.facts['clean_slices']} clean and {attacked} attacked slices"

    @property
    def single_slices(self) -> str:
        """Number of slices behind the figures of single attacks."""
        return f"{self.facts['clean_slices']} clean slices and as many under each attack"

    def picture(self, name: str, title: str, text: str) -> Iterator[Picture]:
        """A figure, if the run drew it."""
        if name in self._pictures:
            yield Picture(title, name, text, self.caption(name, self.pooled_slices))


def caption(facts: Mapping[str, str], name: str, slices: str) -> str:
    """Words of a table or figure with what the run says of itself."""
    return (
        f"{CAPTIONS[name]} {slices} of {facts['volumes']} volumes of {facts['subjects']} subjects; preset "
        f"{facts['preset']}: {facts['sizes']}; seed {facts['seed']}; 95 % intervals from {facts['resamples']} "
        f"resamples; {facts['date']}; {facts['command']}"
    )


def attack_of(row: Mapping[str, str]) -> Row:
    """The entries that name a row's attack."""
    return {name: row[name] for name in _SETTING}


def attacks_among(rows: Sequence[Row]) -> list[Row]:
    """Every attack of these rows once."""
    found = {tuple(attack_of(row).values()): attack_of(row) for row in rows if row["type"] != HALF}
    return list(found.values())


def guard_name(row: Mapping[str, str]) -> str:
    """Number and names of a guard, short."""
    names = f"{row['detector']} → {row['reformer']}".replace("Autoencoder", "AE")
    if (row["detector"], row["reformer"]) == (NO_DETECTOR, NO_REFORMER):
        return "no defence"
    return f"{row['pair']}: {names}" if row["pair"] else names.replace(NO_DETECTOR, "all accepted")


def target_name(name: str) -> str:
    """What a headline calls a target network."""
    return "mean over the target networks" if name == MEAN else f"{name} target"
