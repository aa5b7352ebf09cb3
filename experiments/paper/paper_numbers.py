"""The files of numbers of the paper's experiments, as the sections of the page read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TypeAlias

import pandas as pd

from experiments.pages.blocks import Picture, Table
from experiments.pages.numbers import Numbers
from experiments.paper.names import MEAN, NO_DETECTOR, NO_REFORMER
from experiments.paper.quantities import pooled
from experiments.paper.texts import TEXTS
from experiments.tables import select

Columns: TypeAlias = Mapping[str, tuple[Mapping[str, Any], str]]
"""By title: entries of the rows of a column, and the quantity that it shows of them."""
INFORMED: Mapping[str, Any] = {"knows_guard": "yes", "strength": 1.0}
"""Entries of the attack, with the norm of DAG A, that was made for the guard or detector of its row."""


class PaperNumbers(Numbers):
    """Tables of a run, with its networks and attacks; its page lies beside them."""

    @cached_property
    def detection(self) -> pd.DataFrame:
        """Table 1, with what the paper has for each detector."""
        table = self.table("detection")
        return table.assign(paper=table["detector"].map(TEXTS["paper_averages"]))

    @cached_property
    def guards(self) -> pd.DataFrame:
        """Table 2, with the name of each guard."""
        table = self.table("guards")
        return table.assign(guard=[guard_label(row) for row in table.to_dict("records")])

    @cached_property
    def targets(self) -> list[str]:
        """The target networks, without their mean."""
        return [target for target in self.guards["target"].unique() if target != MEAN]

    @cached_property
    def pooled_slices(self) -> str:
        """Number of slices behind the quantities over all types of DAG."""
        attacked = select(self.guards, attack=pooled())["slices"]
        return f"{self.facts['clean_slices']} clean and {attacked.iloc[0] if len(attacked) else 0} attacked slices"

    @cached_property
    def single_slices(self) -> str:
        """Number of slices behind the quantities of single attacks."""
        return f"{self.facts['clean_slices']} clean slices and as many under each attack"

    def compared(
        self,
        title: str,
        table: pd.DataFrame,
        lines: tuple[str, str],
        columns: Columns,
        *,
        source: str,
        slices: str,
        caption: str | None = None,
    ) -> Table:
        """A table with a line for each entry of a column, and quantities of the first fitting rows.

        Args:
            title: what it shows.
            table: rows, in which the lines are in their order.
            lines: title and name of the column of the lines.
            columns: the others.
            source: name of the file of the rows.
            slices: how many there were.
            caption: name of the words; by default those of the file.
        """
        first, name = lines
        entries = list(table[name].unique())

        def cells(wanted: Mapping[str, Any], quantity: str) -> list[str]:
            index = {row[name]: row for row in reversed(select(table, **wanted).to_dict("records"))}
            return [self.cell(index.get(entry), quantity) for entry in entries]

        rows = list(zip(entries, *(cells(*column) for column in columns.values()), strict=True))
        return Table(title, [first, *columns], rows, self.captioned(caption or source, slices), f"{source}.csv")

    def captioned(self, name: str, slices: str) -> str:
        """Caption of a table or picture."""
        return self.caption(TEXTS["captions"][name], slices)

    def picture(self, name: str) -> Iterator[Picture]:
        """A picture, if the run drew it."""
        if (self.folder / f"{name}.png").is_file():
            title, text = TEXTS["pictures"][name]
            yield Picture(title, name, text, self.captioned(name, self.pooled_slices))


def guard_label(row: Mapping[Any, Any]) -> str:
    """Number and names of a guard, short."""
    names = f"{row['detector']} → {row['reformer']}".replace("Autoencoder", "AE")
    if (row["detector"], row["reformer"]) == (NO_DETECTOR, NO_REFORMER):
        return "no defence"
    return names.replace(NO_DETECTOR, "all accepted") if pd.isna(row["pair"]) else f"{row['pair']:.0f}: {names}"


def target_label(name: str) -> str:
    """What a headline calls a target network."""
    return "mean over the target networks" if name == MEAN else f"{name} target"
