"""Volumes that workers take one by one, some of which may die."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["News", "WorkQueue"]

Item = Mapping[str, Any]


class News(NamedTuple):
    """What has happened in a queue."""

    finished: int
    """Volumes that workers have finished so far."""
    lines: list[tuple[str, str]]
    """What workers have printed since it was asked before: ``"stdout"`` or ``"stderr"``, and the line."""
    lost: list[Item]
    """Volumes that nobody is given any more."""


class WorkQueue:
    """Each worker takes the next volume when it has finished the one before; one that begins anew repeats its own.

    A worker that has died begins anew by :meth:`begin`. It is given again all that it had, in the same order: only its
    run knows which of them are done. A volume during which workers have died too often is lost: it would take them all.

    Args:
        items: the volumes.
        deaths: number of deaths that a volume may cost, or the way of a worker to its first volume.

    Example:
        >>> queue = WorkQueue([{"image": "a.nii"}, {"image": "b.nii"}])
        >>> queue.begin(1)
        >>> queue.take(1)
        {'image': 'a.nii'}
        >>> queue.begin(1)
        >>> queue.take(1), queue.take(1), queue.take(1)
        ({'image': 'a.nii'}, {'image': 'b.nii'}, None)
    """

    def __init__(self, items: Sequence[Item], *, deaths: int = 3) -> None:
        self._waiting = deque(items)
        self._deaths = deaths
        # By worker: what it was given, the last of which it works on, and what it is still to be given again.
        self._given: defaultdict[int, list[Item]] = defaultdict(list)
        self._again: defaultdict[int, deque[Item]] = defaultdict(deque)
        self._working: set[int] = set()
        self._ended: set[int] = set()
        self._died: Counter[str] = Counter()
        self._starts: Counter[int] = Counter()
        self._lines: list[tuple[str, str]] = []
        self._lost: list[Item] = []

    def start(self, worker: int) -> bool:
        """Say that the process of a worker starts; False if too many have died in a row before they took a volume."""
        self._starts[worker] += 1
        return self._starts[worker] <= self._deaths

    def begin(self, worker: int) -> None:
        """Say that a worker begins, or begins anew."""
        given = self._given[worker]
        if worker in self._working and self._count_death(given[-1]):
            self._lost.append(given.pop())
        self._again[worker].extendleft(reversed(given))
        given.clear()
        self._working.discard(worker)
        self._ended.discard(worker)

    def _count_death(self, item: Item) -> bool:
        """Count a death that a volume has cost; whether these are too many."""
        self._died[str(item)] += 1
        return self._died[str(item)] >= self._deaths

    def take(self, worker: int) -> Item | None:
        """The next volume of a worker that has finished the one before; None if there is none."""
        self._starts[worker] = 0
        for source in (self._again[worker], self._waiting):
            if source:
                self._working.add(worker)
                self._given[worker].append(source.popleft())
                return self._given[worker][-1]
        self._working.discard(worker)
        self._ended.add(worker)
        return None

    def tell(self, worker: int, stream: str, line: str) -> None:
        """Pass on what a worker has printed; the end of a run is told for all of them together."""
        if worker not in self._ended:
            self._lines.append((stream, line))

    def news(self) -> News:
        """What has happened; lines are told once."""
        lines, self._lines = self._lines, []
        return News(sum(map(len, self._given.values())) - len(self._working), lines, self._lost)
