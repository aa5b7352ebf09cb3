"""One of several runs that share the volumes of a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from monai_advdefense.messages import broken_rule

__all__ = ["Shard"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Shard:
    """Every n-th volume, so that ``count`` runs that know nothing of each other do all of them.

    Attributes:
        index: number of this run, from 1.
        count: number of runs.

    Example:
        >>> Shard.parse("2/3").share("abcdefg")
        'be'
        >>> str(Shard(2, 3))
        '2/3'
    """

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard ``"I/N"``.

        Raises:
            InputError: if the text is none, or I does not lie between 1 and N.
        """
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", str(text))
        shard = cls(*map(int, match.groups())) if match else cls(0, 0)
        if not 1 <= shard.index <= shard.count:
            raise broken_rule("shard", "I/N with I from 1 to N", text, "give each run its number, such as 2/4")
        return shard

    def share(self, items: Sequence[_T]) -> Sequence[_T]:
        """Those of the items that are this run's."""
        return items[self.index - 1 :: self.count]

    def spread(self, share: Sequence[_T]) -> list[_T]:
        """A list of which this run's share is ``share``, for who shares out what is shared out already."""
        return [item for item in share for _ in range(self.count)]

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"
