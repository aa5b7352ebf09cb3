"""The one form of all messages about a file or an argument."""

from __future__ import annotations

import os
from collections.abc import Sequence

from monai_advdefense.errors import AdvDefenseError, InputError

__all__ = ["broken_rule", "one_line", "reason", "some_failed"]


def one_line(text: object) -> str:
    r"""Text in which line breaks and other unprintable characters are escaped.

    Example:
        >>> one_line("scan\n1.nii")
        'scan\\n1.nii'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def reason(error: BaseException) -> str:
    """What an exception says, on one line; its type if it says nothing."""
    return one_line(" ".join(str(error).split())) or type(error).__name__


def broken_rule(
    subject: str | os.PathLike[str],
    expected: object,
    found: object,
    remedy: str,
    *,
    error: type[AdvDefenseError] = InputError,
) -> AdvDefenseError:
    """The error of a file or an argument that breaks a rule, on one line.

    Args:
        subject: the file, or the name of the argument.
        expected: the rule.
        found: what there is instead.
        remedy: what the user can do.
        error: class of the error.

    Returns:
        The error, to be raised.

    Example:
        >>> str(broken_rule("a.nii", "a 3-D volume", "4 dimensions", "extract one volume"))
        'a.nii: expected a 3-D volume, found 4 dimensions: extract one volume'
    """
    return error(one_line(f"{subject}: expected {expected}, found {found}: {remedy}"))


def some_failed(
    messages: Sequence[str], failed: int, total: int, what: str, *, error: type[AdvDefenseError] = InputError
) -> AdvDefenseError:
    """The error of a run that some of its inputs cost nothing but themselves.

    Args:
        messages: those of the inputs that failed; the last one stands in the error.
        failed: number of inputs that failed.
        total: number of all inputs.
        what: what the inputs are called, such as ``"volumes"``.
        error: class of the error.

    Returns:
        The error, to be raised.

    Example:
        >>> str(some_failed(["a.nii: expected a 3-D volume, found 4 dimensions: extract one volume"], 1, 3, "volumes"))
        'a.nii: expected a 3-D volume, found 4 dimensions: extract one volume (1 of 3 volumes failed)'
    """
    return error(f"{messages[-1]} ({failed} of {total} {what} failed)")
