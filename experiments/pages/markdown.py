"""A page as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from experiments.pages.blocks import Block, Note, Picture, Section, Table


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """Render a page as Markdown that lies beside its pictures and tables."""
    parts = [f"# {title}"]
    for section in sections:
        parts.append(f"## {section.title}")
        for folded, run in groupby(section.blocks, lambda block: isinstance(block, Table) and block.folded):
            blocks = list(run)
            parts += [_list_of(blocks)] if folded else map(_markdown, blocks)
    return "\n\n".join(parts) + "\n"


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
