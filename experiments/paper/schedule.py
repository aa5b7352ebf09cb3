"""Tasks that one or several processes share, each done once."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch.distributed import rendezvous

Stages = Sequence[tuple[str, Sequence["Task"]]]


@dataclass(frozen=True)
class Task:
    """A piece of work whose result, once there, is never made again.

    Attributes:
        name: what the progress display calls it.
        key: tells its result from every other one; processes claim tasks by it.
        seconds: planned time in one process.
        done: whether the result is there.
        run: makes the result; it must appear whole or not at all.
    """

    name: str
    key: str
    seconds: float
    done: Callable[[], bool]
    run: Callable[[], None]


class Workers:
    """The processes that ``torchrun`` started, or this one alone.

    They share a key-value store and no process group: networks are trained side by side, each by one process, and
    metrics of a training must not be summed over the others.
    """

    def __init__(self) -> None:
        self.rank, self.count = 0, 1
        self._store: dist.Store | None = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            self._store, self.rank, self.count = next(rendezvous("env://"))
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", self.rank)) % torch.cuda.device_count())

    def claim(self, key: str) -> bool:
        """Whether the caller is the first to ask for ``key``."""
        return self._store is None or int(self._store.add(f"advdefense/{key}", 1)) == 1


def plan(stages: Stages, workers: int) -> str:
    """Table of what is done and what is left, with the planned time."""
    lines = [f"{'stage':<12}{'tasks':>7}{'done':>7}{'left':>12}"]
    left = 0.0
    for name, tasks in stages:
        pending = [task.seconds for task in tasks if not task.done()]
        lines.append(f"{name:<12}{len(tasks):>7}{len(tasks) - len(pending):>7}{_duration(sum(pending) / workers):>12}")
        left += sum(pending)
    processes = "1 process" if workers == 1 else f"{workers} processes"
    return "\n".join([*lines, f"planned from a short timing, {processes}: {_duration(left / workers)}"])


def run(stages: Stages, workers: Workers, report: Callable[[str], None], *, poll: float = 0.2) -> None:
    """Run all tasks that are not done, stage after stage.

    A stage starts when every task of those before it is done, whoever does it.

    Args:
        stages: name and tasks of each; the same in every process.
        workers: the processes.
        report: gets a line for each finished task.
        poll: seconds between two looks at what the others do.
    """
    every = [task for _, tasks in stages for task in tasks]
    planned = spent = 0.0
    for stage, tasks in stages:
        # The longest first, so that no process is left alone with a long one.
        for task in sorted(tasks, key=lambda task: -task.seconds):
            if task.done() or not workers.claim(task.key):
                continue
            start = time.perf_counter()
            task.run()
            seconds = time.perf_counter() - start
            planned, spent = planned + task.seconds, spent + seconds
            pending = [other.seconds for other in every if not other.done()]
            left = sum(pending) / workers.count * (spent / planned if planned else 1.0)
            report(
                f"{len(every) - len(pending)}/{len(every)}  {stage}: {task.name}, {_duration(seconds)}; "
                f"about {_duration(left)} left"
            )
        while not all(task.done() for task in tasks):
            time.sleep(poll)


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
