"""The tables of the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from experiments.defences.rows import CLEAN
from experiments.defences.threats import Threat
from experiments.pages.blocks import Table
from experiments.pages.numbers import Numbers

__all__ = ["Tables"]

_Place = tuple[str, float]
_Column = tuple[str, str, _Place]
"""Heading, quantity, and the threat and budget whose rows it shows."""
_BEFORE = (CLEAN, 0.0)


class Tables:
    """Tables with the defences as lines, the best first: by the mean of their Dice over all threats that know them.

    Args:
        numbers: ``defences.csv`` and ``defences_facts.csv``.
        threats: kinds of attacks.
    """

    def __init__(self, numbers: Numbers, threats: Sequence[Threat]) -> None:
        self.numbers = numbers
        self.informed = _places(each for each in threats if each.knows == "defence" and not each.restarts)
        self.longer = _places(each for each in threats if each.restarts)
        self.less = _places(each for each in threats if each.knows != "defence")
        table = numbers.table("defences")
        places = [_place(*each) for each in zip(table["threat"], table["budget"], strict=True)]
        self.table = table.assign(place=places)
        of_informed = self.table[self.table["place"].isin(self.informed)]
        self.names = of_informed.groupby("defence")["dice"].mean().sort_values(ascending=False).index.tolist()
        self.split = f"{numbers.facts['split'].capitalize()} split"
        self.steps = f"{threats[0].steps} steps of each attack at each budget"

    def dice(self) -> Table:
        """What is left of the segmentation, and what the defence costs."""
        clean = [("passes", "passes", _BEFORE), ("no attack", "dice", _BEFORE)]
        return self._table("Mean Dice under the worst attack", [*clean, *_under("dice", self.informed)], self.steps)

    def bad(self) -> Table:
        """What passes although it is ruined."""
        clean = ("accepted without attack", "accepted", _BEFORE)
        return self._table("Accepted and bad", [clean, *_under("accepted_and_bad", self.informed)], self.steps)

    def structures(self) -> Table:
        """How many structures are hit."""
        return self._table("Structures that lose more than 0.1", _under("structures_bad", self.informed), self.steps)

    def transfer_and_queries(self) -> Table:
        """Attackers who know less."""
        return self._table("Transfer and queries", _both(self.less))

    def more_steps(self) -> Table:
        """Attackers who take longer, beside those of the same norm and budget who do not."""
        return self._table("Twenty times the steps", _both([*map(_shorter, self.longer), *self.longer]))

    def lowered(self) -> dict[str, float]:
        """By how much those who take longer lower the Dice of a defence, at least and at most."""
        dice = self.table.set_index(["defence", "place"])["dice"]
        lost = [dice[name, _shorter(place)] - dice[name, place] for name in self.names for place in self.longer]
        return {"least": min(lost), "most": max(lost)}

    def _table(self, title: str, columns: Sequence[_Column], *words: str) -> Table:
        cells = [self._cells(quantity, place) for _, quantity, place in columns]
        lines = [list(line) for line in zip(self.names, *cells, strict=True)]
        facts = ", ".join([self.split, *words])
        caption = self.numbers.caption(f"{facts}.", f"{self.numbers.facts['slices']} slices")
        return self.numbers.shown(title, ["Defence", *(each for each, *_ in columns)], lines, "defences", caption)

    def _cells(self, quantity: str, place: _Place) -> list[str]:
        lines = ("defence", self.names)
        cells = self.numbers.pivot(self.table, quantity, lines, ("place", [place]))  # type: ignore[list-item]
        return [_narrow(cell) for (cell,) in cells]


def _places(threats: Iterable[Threat]) -> list[_Place]:
    return [_place(threat.name, budget) for threat in threats for budget in threat.budgets]


def _place(threat: str, budget: float) -> _Place:
    """A budget as it is found in a table of six digits."""
    return threat, round(budget, 4)


def _shorter(place: _Place) -> _Place:
    """Of an attack that takes longer the one of the same norm and budget that does not."""
    name, budget = place
    return name.split(", ")[-1], budget


def _under(quantity: str, places: Sequence[_Place]) -> list[_Column]:
    return [(_heading(*place), quantity, place) for place in places]


def _both(places: Sequence[_Place]) -> list[_Column]:
    ways = (("Dice", "dice"), ("accepted and bad", "accepted_and_bad"))
    return [(f"{word}, {_heading(*place)}", quantity, place) for word, quantity in ways for place in places]


def _narrow(cell: str) -> str:
    """The figure above its interval: the columns fit a page then."""
    return re.sub(r" \[(\S+), (\S+)\]", "<br>\\1\N{EN DASH}\\2", cell)


def _heading(threat: str, budget: float) -> str:
    return f"{threat} {255 * budget:.0f}/255" if threat.endswith("L-infinity") else f"{threat} {budget:g}"
