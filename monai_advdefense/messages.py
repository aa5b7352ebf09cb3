"""The one form of all messages about a file or an argument."""

from __future__ import annotations

import os

from monai_advdefense.errors import AdvDefenseError, InputError

__all__ = ["broken_rule", "one_line", "reason"]


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
