"""Log losses and metrics, and bad input in one line."""

from __future__ import annotations

from ignite.engine import Engine
from monai.handlers import StatsHandler

from monai_advdefense.errors import own_error

__all__ = ["ConciseStatsHandler"]


class ConciseStatsHandler(StatsHandler):  # type: ignore[misc]
    """MONAI's ``StatsHandler`` without a traceback where a run ended with a message for the user.

    Whatever else ends a run is a bug, and keeps its traceback. Takes the arguments of ``StatsHandler``.
    """

    def exception_raised(self, _engine: Engine, e: BaseException) -> None:
        """Log what ended the run, unless it is a message for the user, and raise it again."""
        if own_error(e) is not None:
            raise e
        super().exception_raised(_engine, e)
