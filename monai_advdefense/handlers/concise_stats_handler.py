"""Log losses and metrics, and bad input in one line."""

from __future__ import annotations

from ignite.engine import Engine
from monai.handlers import StatsHandler

__all__ = ["ConciseStatsHandler"]


class ConciseStatsHandler(StatsHandler):  # type: ignore[misc]
    """MONAI's ``StatsHandler`` without a traceback where a run ended with a message for the user.

    Whatever else ends a run is a bug, and keeps its traceback. Takes the arguments of ``StatsHandler``.
    """

    def exception_raised(self, _engine: Engine, e: BaseException) -> None:
        """Log what ended the run and raise it again; an exit has told the user already (``exit_on_error``)."""
        if isinstance(e, SystemExit):
            raise e
        super().exception_raised(_engine, e)
