"""A page as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from experiments.pages.blocks import Block, Picture, Section, Table
from experiments.tables import Facts, write_tables
from monai_advdefense.atomic_path import atomic_path


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """Render a page as Markdown that lies beside its pictures and tables."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *map(_markdown, section.blocks)]
    return "\n\n".join(parts) + "\n"


def write_page(
    path: Path,
    page: Callable[[Path], str],
    tables: Mapping[str, pd.DataFrame | Facts] | None = None,
    folder: Path | None = None,
) -> Path:
    """Write a page, after the ``tables`` in ``folder`` (by default beside it) that it is made from; each file whole."""
    folder = folder or path.parent
    write_tables(tables or {}, folder)
    with atomic_path(path) as temporary:
        temporary.write_text(page(folder), encoding="utf-8")
    return path


def bullets(lines: Iterable[str]) -> str:
    """A list, one item a line."""
    return "\n".join(f"- {line}" for line in lines)


def _markdown(block: Block) -> str:
    if isinstance(block, Picture):
        picture = f"![{block.text}]({block.name}.png)"
        return f"**{block.title}**\n\n{picture}\n\n*{block.caption}*"
    if isinstance(block, Table):
        lines = [block.header, ["---"] * len(block.header), *block.rows]
        table = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
        return f"**{block.title}**\n\n{table}\n\n*Numbers: [{block.source}]({block.source}). {block.caption}*"
    return _escaped(block)


def _cell(text: str) -> str:
    """A narrow column may part a figure from its interval, but not the interval."""
    return re.sub(r"\[(\S+), (\S+)\]", "[\\1,\N{NO-BREAK SPACE}\\2]", _escaped(text))


def _escaped(words: str) -> str:
    """An asterisk marks some intervals; two of them would be taken for emphasis."""
    return words.replace("*", r"\*")
