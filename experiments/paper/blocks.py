"""Parts of a page, and the page as Markdown and as HTML."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import jinja2

__all__ = ["Block", "Note", "Picture", "Section", "Table", "to_html", "to_markdown"]


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


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """Render a page as Markdown that lies beside its figures and tables.

    Args:
        title: headline of the page.
        sections: what follows.
    """
    parts = [f"# {title}"]
    for section in sections:
        parts.append(f"## {section.title}")
        for folded, run in groupby(section.blocks, lambda block: isinstance(block, Table) and block.folded):
            blocks = list(run)
            parts += [_list_of(blocks)] if folded else map(_markdown, blocks)
    return "\n\n".join(parts) + "\n"


def to_html(title: str, sections: Sequence[Section], folder: Path, *, date: str, command: str) -> str:
    """Render a page as HTML that needs no other file, no script and no network.

    Args:
        title: headline of the page.
        sections: what follows.
        folder: where the figures lie, as PNG.
        date: date of the run.
        command: the command that made it.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("monai_advdefense.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = lambda name: _data_uri(folder / f"{name}.png")
    environment.filters["estimate"] = lambda cell: cell.partition(" [")[0]
    environment.filters["interval"] = lambda cell: "[" + cell.partition(" [")[2] if " [" in cell else ""
    environment.filters["anchor"] = _anchor
    environment.tests["note"] = lambda block: isinstance(block, Note)
    environment.tests["table"] = lambda block: isinstance(block, Table)
    environment.tests["picture"] = lambda block: isinstance(block, Picture)
    template = environment.get_template("paper.html.j2")
    return template.render(title=title, sections=sections, date=date, command=command)


def _markdown(block: Block) -> str:
    if isinstance(block, Picture):
        picture = f"![{block.text}]({block.name}.png)"
        return f"**{block.title}**\n\n{picture}\n\n*{block.caption}*"
    if isinstance(block, Table):
        lines = [block.header, ["---"] * len(block.header), *block.rows]
        table = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
        return f"**{block.title}**\n\n{table}\n\n*Numbers: [{block.source}]({block.source}). {block.caption}*"
    if isinstance(block, Note):
        return "\n\n".join([f"**{block.title}**", *map(_escaped, block.paragraphs)])
    return _escaped(block)


def _list_of(tables: Iterable[Block]) -> str:
    """Which files hold the numbers of tables that are not shown."""
    titles: dict[str, list[str]] = {}
    for table in tables:
        if isinstance(table, Table):
            titles.setdefault(table.source, []).append(table.title)
    return "\n".join(f"- Also in [{source}]({source}): {'; '.join(names)}" for source, names in titles.items())


def _cell(text: str) -> str:
    """A narrow column may part a figure from its interval, but not the interval."""
    return re.sub(r"\[(\S+), (\S+)\]", "[\\1,\N{NO-BREAK SPACE}\\2]", _escaped(text))


def _escaped(words: str) -> str:
    """An asterisk marks some intervals; two of them would be taken for emphasis."""
    return words.replace("*", r"\*")


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _anchor(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower())
