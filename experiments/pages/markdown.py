"""A page as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from experiments.pages.blocks import Block, Picture, Section, Table


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """Render a page as Markdown that lies beside its pictures and tables."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *map(_markdown, section.blocks)]
    return "\n\n".join(parts) + "\n"


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
