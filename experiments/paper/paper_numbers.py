"""The files of numbers of the paper's experiments, as the sections of the page read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.pages.blocks import Picture
from experiments.pages.cells import attack_label
from experiments.pages.numbers import Numbers
from experiments.paper.names import HALF, MEAN, NO_DETECTOR, NO_REFORMER
from experiments.paper.quantities import pooled
from experiments.paper.texts import TEXTS
from experiments.tables import select


class PaperNumbers(Numbers):
    """Tables of a run, with its networks and attacks.

    Args:
        folder: what :func:`~experiments.paper.output.write` wrote.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.detection = self.table("detection")
        guards = self.table("guards")
        self.guards = guards.assign(guard=[guard_label(row) for row in guards.to_dict("records")])
        self.targets = [target for target in self.guards["target"].unique() if target != MEAN]
        self.detectors = list(self.detection["detector"].unique())

    @cached_property
    def pooled_slices(self) -> str:
        """Number of slices behind the quantities over all types of DAG."""
        attacked = select(self.guards, attack=pooled())["slices"]
        return f"{self.facts['clean_slices']} clean and {attacked.iloc[0] if len(attacked) else 0} attacked slices"

    @cached_property
    def single_slices(self) -> str:
        """Number of slices behind the quantities of single attacks."""
        return f"{self.facts['clean_slices']} clean slices and as many under each attack"

    def captioned(self, name: str, slices: str) -> str:
        """Caption of a table or picture."""
        return self.caption(TEXTS["captions"][name], slices)

    def picture(self, name: str, title: str, text: str) -> Iterator[Picture]:
        """A picture, if the run drew it."""
        if (self.folder / f"{name}.png").is_file():
            yield Picture(title, name, text, self.captioned(name, self.pooled_slices))


def labels(table: pd.DataFrame) -> dict[str, str]:
    """What a reader calls each attack of these rows, by its name."""
    shown = table[table["type"] != HALF].drop_duplicates("attack")
    return {row["attack"]: attack_label(row) for row in shown.to_dict("records")}


def guard_label(row: Mapping[Any, Any]) -> str:
    """Number and names of a guard, short."""
    names = f"{row['detector']} → {row['reformer']}".replace("Autoencoder", "AE")
    if (row["detector"], row["reformer"]) == (NO_DETECTOR, NO_REFORMER):
        return "no defence"
    return names.replace(NO_DETECTOR, "all accepted") if pd.isna(row["pair"]) else f"{row['pair']:.0f}: {names}"


def target_label(name: str) -> str:
    """What a headline calls a target network."""
    return "mean over the target networks" if name == MEAN else f"{name} target"
