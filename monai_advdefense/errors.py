"""The one exception tree, and how an error becomes an exit code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["EXIT_BAD_INPUT", "AdvDefenseError", "CalibrationError", "InputError", "OutputError", "exit_on_error"]

EXIT_BAD_INPUT = 2

_P = ParamSpec("_P")
_R = TypeVar("_R")


class AdvDefenseError(Exception):
    """Base of all errors of this package.

    A message is one line and says what was expected, what was found, in which file or argument, and what to do.
    """


class InputError(AdvDefenseError, ValueError):
    """A file, folder or argument given by the user cannot be used."""


class CalibrationError(AdvDefenseError, ValueError):
    """A threshold is missing, or cannot be computed from the scores at hand."""


class OutputError(AdvDefenseError, OSError):
    """A result could not be written; nothing incomplete was left behind."""


def exit_on_error(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn an :class:`AdvDefenseError` of ``function`` into exit code 2 with the message as the last line on stderr.

    For what ``monai.bundle run`` calls. ``SystemExit`` is not an ``Exception``, so it passes through ignite and
    through the config parser, which would wrap anything else in a ``RuntimeError`` with a traceback.
    """

    @functools.wraps(function)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except AdvDefenseError as error:
            print(f"error: {error}", file=sys.stderr)
            # ignite logs the text of what ends a run, so the message is there as well; an exit code is no text.
            stop = SystemExit(str(error))
            stop.code = EXIT_BAD_INPUT
            raise stop from None

    return wrapped
