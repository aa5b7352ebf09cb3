"""The one exception tree, and how an error becomes an exit code."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = [
    "EXIT_BAD_INPUT",
    "EXIT_SUSPICIOUS_BATCH",
    "AdvDefenseError",
    "BatchError",
    "CalibrationError",
    "InputError",
    "OutputError",
    "exit_on_error",
    "first_cause",
    "own_error",
]

EXIT_BAD_INPUT = 2
EXIT_SUSPICIOUS_BATCH = 3

_IN_A_TRACEBACK = re.compile(r"^monai_advdefense\.errors\.(\w+): (.+)$", re.MULTILINE)

_P = ParamSpec("_P")
_R = TypeVar("_R")


class AdvDefenseError(Exception):
    """Base of all errors of this package.

    A message is one line and says what was expected, what was found, in which file or argument, and what to do.

    Attributes:
        exit_code: that of a command which the error ends.
    """

    exit_code = EXIT_BAD_INPUT


class InputError(AdvDefenseError, ValueError):
    """A file, folder or argument given by the user cannot be used."""


class CalibrationError(AdvDefenseError, ValueError):
    """A threshold is missing, or cannot be computed from the scores at hand."""


class OutputError(AdvDefenseError, OSError):
    """A result could not be written; nothing incomplete was left behind."""


class BatchError(AdvDefenseError):
    """A run whose results are all there, but with more suspicious volumes than clean ones would give."""

    exit_code = EXIT_SUSPICIOUS_BATCH


def own_error(error: BaseException | None) -> AdvDefenseError | None:
    """The error of this package that ``error`` is, or that MONAI has wrapped into it; None for any other.

    Of an error in a worker process of torch there is nothing left but its text, which holds a traceback as well.
    """
    while error is not None:
        if (told := _told_by_worker(error)) is not None:
            return told
        if isinstance(error, AdvDefenseError):
            return error
        error = error.__cause__
    return None


def first_cause(error: BaseException) -> BaseException:
    """The error that others have wrapped."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _told_by_worker(error: BaseException) -> AdvDefenseError | None:
    found = _IN_A_TRACEBACK.search(str(error))
    if found is None:
        return None
    kinds = {kind.__name__: kind for kind in (InputError, CalibrationError, OutputError, BatchError)}
    return kinds.get(found[1], AdvDefenseError)(found[2])


def exit_on_error(main: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a command's ``main`` end on an :class:`AdvDefenseError` with its code, its message the last on stderr."""

    @functools.wraps(main)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return main(*args, **kwargs)
        except AdvDefenseError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(error.exit_code) from None

    return wrapped
