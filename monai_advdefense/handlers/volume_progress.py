"""Progress bar of a run over volumes."""

from __future__ import annotations

import sys

import ignite.distributed as idist
from ignite.engine import Engine, Events
from tqdm import tqdm

from monai_advdefense.runs.run_log import RunLog

__all__ = ["VolumeProgress"]


class VolumeProgress:
    """Show how many of the volumes are done and the time left while a network computes.

    Ignite's own bar counts iterations of a known number; here volumes fail, or are skipped and count for nothing in the
    time left. Silent where stderr is no terminal, so that log files stay readable; of several processes the first shows
    its share. It stands before all handlers that print, whose lines it makes room for.

    Args:
        run_log: what the run did, and how many volumes there are.
    """

    def __init__(self, run_log: RunLog) -> None:
        self.run_log = run_log
        self._bar: tqdm | None = None

    def attach(self, engine: Engine) -> None:
        """Register on the evaluator."""
        if sys.stderr.isatty() and idist.get_rank() == 0:
            engine.add_event_handler(Events.GET_BATCH_COMPLETED, self.show)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.hide)
            engine.add_event_handler(Events.STARTED, self.close)
            engine.add_event_handler(Events.COMPLETED, self.close)

    def show(self) -> None:
        """Show the bar; the last volume that was looked at is not done yet."""
        if self._bar is None:
            self._bar = tqdm(total=self.run_log.expected, desc="volumes", unit="volume", leave=False, file=sys.stderr)
        self._bar.n = len(self.run_log.attempted) - 1
        self._bar.initial = len(self.run_log.already_there)
        self._bar.refresh()

    def hide(self) -> None:
        """Make room for lines."""
        if self._bar is not None:
            self._bar.clear()

    def close(self) -> None:
        """Forget the bar of a run."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None
