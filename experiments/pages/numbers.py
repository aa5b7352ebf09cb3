"""The files of numbers of a run, as the sections of a page read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.pages.blocks import Table
from experiments.pages.cells import cell
from experiments.tables import read_facts, read_table


class Numbers:
    """Tables in a folder, and what captions say of them.

    Args:
        folder: what :func:`~experiments.tables.write_tables` wrote.
        facts: name of the table of facts.
    """

    def __init__(self, folder: Path, facts: str = "facts") -> None:
        self.folder = folder
        self.facts = read_facts(folder / f"{facts}.csv")
        self.resamples = int(self.facts["resamples"])
        self._read = cache(read_table)

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables."""
        return self._read(self.folder / f"{name}.csv")

    def cell(self, row: Mapping[Any, Any] | None, name: str) -> str:
        """A quantity of a row with its interval."""
        return cell(row, name, self.resamples)

    def rows(self, table: pd.DataFrame, columns: Iterable[str]) -> list[list[str]]:
        """Some columns of each row as cells."""
        return [[self.cell(row, name) for name in columns] for row in table.to_dict("records")]

    def pivot(
        self, table: pd.DataFrame, name: str, lines: tuple[str, Sequence[str]], columns: tuple[str, Sequence[str]]
    ) -> list[list[str]]:
        """One quantity of many rows as cells; the first row counts where several have the same line and column.

        Args:
            table: rows.
            name: the quantity.
            lines: column of the table that names the lines, and the entries in their order.
            columns: the same of the columns.
        """
        index = {(row[lines[0]], row[columns[0]]): row for row in reversed(table.to_dict("records"))}
        return [[self.cell(index.get((line, column)), name) for column in columns[1]] for line in lines[1]]

    def shown(
        self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]], source: str, caption: str
    ) -> Table:
        """A table of a page that lies beside the folder, made from one of the tables in it."""
        return Table(title, header, rows, caption, f"{self.folder.name}/{source}.csv")

    def caption(self, words: str, slices: str) -> str:
        """Words of a table or picture, then slices, subjects, sizes, seed, date and command."""
        facts = self.facts
        preset = f"preset {facts['preset']}: {facts['sizes']}; " if "preset" in facts else ""
        return (
            f"{words} {slices} of {facts['volumes']} volumes of {facts['subjects']} subjects; {preset}seed "
            f"{facts['seed']}; 95 % intervals from {facts['resamples']} resamples; {facts['date']}; {facts['command']}"
        ).lstrip()
