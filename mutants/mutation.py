"""The list of mutations, ``mutations.toml``: what is changed, and which tests must notice it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Mutation", "mutations"]

ROOT = Path(__file__).parents[1]
_LIST = Path(__file__).with_name("mutations.toml")


@dataclass(frozen=True)
class Mutation:
    """One change of one line.

    Attributes:
        file: path of the mutated file below the repository.
        name: what the mutation does, in words.
        original: text that occurs exactly once in the file.
        replacement: text in its place.
        tests: test files of which one must fail.
        accepted: why it may survive; empty if it must die.
    """

    file: str
    name: str
    original: str
    replacement: str
    tests: tuple[str, ...]
    accepted: str = ""

    def apply(self, source: str) -> str:
        """The mutated text of the file.

        Raises:
            ValueError: if the original text does not occur exactly once.
        """
        count = source.count(self.original)
        if count != 1:
            raise ValueError(
                f"{self.file}: expected {self.original!r} once, found it {count} times: mend mutants/mutations.toml"
            )
        return source.replace(self.original, self.replacement)


def mutations(path: Path = _LIST) -> list[Mutation]:
    """All mutations in the order of the list.

    Each table of the list is named after a file; beside its ``tests`` stand the mutations, ``name = [original,
    replacement]``, with a third text for one that is known to survive: why.
    """
    with path.open("rb") as file:
        tables = tomllib.load(file)
    return [
        Mutation(name, what, texts[0], texts[1], tuple(table["tests"]), " ".join(texts[2:]))
        for name, table in tables.items()
        for what, texts in table.items()
        if what != "tests"
    ]
