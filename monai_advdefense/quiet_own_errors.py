"""Keep errors that are told in the end out of the logs of MONAI and ignite, which write their tracebacks as well."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from monai_advdefense.errors import own_error

__all__ = ["quiet_errors", "quiet_own_errors"]

_LOGGERS = ("monai.handlers.StatsHandler", "ignite.engine.engine.SupervisedEvaluator")


def quiet_own_errors() -> None:
    """Let the logs of evaluations say nothing of errors of this package; all others stay."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_about_others)


@contextmanager
def quiet_errors() -> Iterator[None]:
    """Let them say nothing of any error in the block, for one who tells it."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_no_error)
    try:
        yield
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(_is_no_error)


def _is_no_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


def _is_about_others(record: logging.LogRecord) -> bool:
    return _is_no_error(record) or own_error(sys.exc_info()[1]) is None
