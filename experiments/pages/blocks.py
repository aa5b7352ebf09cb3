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
        folded: shown in HTML only, and closed at first; Markdown names the files of a row of such tables.
        names: number of first columns that hold names.
        words: whether the last column holds words.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    source: str
    folded: bool = False
    names: int = 1
    words: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure, in one form for wide and one for narrow screens.

    Attributes:
        title: what it shows.
        name: file without suffix; the narrow form ends in ``_narrow``.
        text: the same in words, for readers who cannot see it.
        caption: what it was made from.
    """

    title: str
    name: str
    text: str
    caption: str


@dataclass(frozen=True)
class Note:
    """Paragraphs under a headline of their own."""

    title: str
    paragraphs: Sequence[str]


Block: TypeAlias = str | Table | Picture | Note


@dataclass(frozen=True)
class Section:
    """A headline and what stands under it; a string is a paragraph."""

    title: str
    blocks: Sequence[Block]
