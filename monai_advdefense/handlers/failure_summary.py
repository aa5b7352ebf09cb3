"""The last word of a run: what failed, and the exit code."""

from __future__ import annotations

import sys

from ignite.engine import Engine, Events

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import InputError, own_error

__all__ = ["FailureSummary"]


class FailureSummary:
    """Ignite handler that reports failed volumes at the end of a run and turns them into exit code 2.

    It also ends a run that one of this package's errors stopped as a whole (a missing input folder, for example) with
    that error's message and exit code 2 instead of a traceback. Attach it as the last handler, so that results are
    complete when it exits. Of several processes that share the volumes the first speaks for all, see
    :class:`~monai_advdefense.handlers.GatherFailures`.

    Args:
        dataset: dataset of the run, which keeps the failures.
    """

    def __init__(self, dataset: VolumeDataset) -> None:
        self.dataset = dataset

    def attach(self, engine: Engine) -> None:
        """Report when ``engine`` has completed, and when it is stopped by an error."""
        engine.add_event_handler(Events.COMPLETED, self)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.exception_raised)

    def __call__(self, engine: Engine) -> None:
        """Print the summary; an error if a volume failed."""
        if self.dataset.rank:
            return
        failed = len({path for path, _ in self.dataset.failures})
        total = len(self.dataset.attempted)
        print(f"{total - failed} of {total} volumes written, {failed} failed", flush=True)
        if failed:
            raise InputError(f"{self.dataset.failures[-1][1]} ({failed} of {total} volumes failed)")

    def exception_raised(self, engine: Engine, error: BaseException) -> None:
        """List what failed before bad input ended the run; pass the error on."""
        if own_error(error) is not None and len(self.dataset.failures) > 1:
            print("failed volumes:", file=sys.stderr)
            for _, message in self.dataset.failures:
                print(f"  {message}", file=sys.stderr)
        raise error
