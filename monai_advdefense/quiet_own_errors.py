"""Keep errors that are told in the end out of the logs of MONAI and ignite, which write their tracebacks as well."""

from __future__ import annotations

import logging
import sys

from monai_advdefense.errors import own_error

__all__ = ["quiet_own_errors"]

_LOGGERS = ("monai.handlers.StatsHandler", "ignite.engine.engine.SupervisedEvaluator")


def quiet_own_errors() -> None:
    """Let the logs of evaluations say nothing of errors of this package; all others stay."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_about_others)


def _is_about_others(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR or own_error(sys.exc_info()[1]) is None
