"""Parts of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Table:
    """A table; a cell may hold a figure with its interval, ``0.9 [0.8, 1.0]``.

    Attributes:
        title: what it shows.
        header: names of the columns.
        rows: cells.
        caption: what it was made from.
        source: file of the numbers.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    source: str


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        title: what it shows.
        name: file without suffix.
        text: the same in words, for readers who cannot see it.
        caption: what it was made from.
    """

    title: str
    name: str
    text: str
    caption: str


Block: TypeAlias = str | Table | Picture


@dataclass(frozen=True)
class Section:
    """A headline and what stands under it; a string is a paragraph."""

    title: str
    blocks: Sequence[Block]
