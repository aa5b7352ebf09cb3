"""What a report keeps of its cases, so that one volume at a time is in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from monai_advdefense.errors import InputError, first_cause
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.robustness.case import Case, case_of
from monai_advdefense.robustness.settings import Settings

__all__ = ["CaseFacts", "Items", "facts_of_cases", "read_case"]


class Items(Protocol):
    """What a data set of MONAI is: a length, and items by number."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __getitem__(self, index: int, /) -> Any:
        """One item."""
        ...


@dataclass(frozen=True)
class CaseFacts:
    """What is known of a case without its image.

    Attributes:
        number: of its item.
        name: what a reader calls it.
        subject: whose it is.
        sha256: of image and label, as the network sees them.
        samples: number of images: slices, or 1.
        labelled: whether it has a label.
    """

    number: int
    name: str
    subject: str
    sha256: str
    samples: int
    labelled: bool


def facts_of_cases(data: Items, settings: Settings, check: Callable[[Case], None]) -> tuple[list[CaseFacts], list[str]]:
    """Read all cases once.

    Args:
        data: items of the cases.
        settings: how they are cut into slices.
        check: raises InputError for a case that cannot be used.

    Returns:
        Those that can be used, and for each of the others one line that says what is wrong.

    Raises:
        InputError: if none can be used, or only some of them have labels.
    """
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        found = f"a {type(data).__name__}"
        raise broken_rule("data", "items by number, such as a monai.data.Dataset", found, "make a list of it")
    facts, failures = [], []
    for number in range(len(data)):
        try:
            case = read_case(data, number, settings)
            check(case)
        except InputError as error:
            failures.append(str(error))
            print(f"failed: {error}", file=sys.stderr, flush=True)
            continue
        facts.append(CaseFacts(number, case.name, case.subject, case.sha256, len(case.image), case.label is not None))
    if not facts:
        raise broken_rule("data", "a case that can be used", failures[-1] if failures else "none", "check the data set")
    if len({one.labelled for one in facts}) > 1:
        without = next(one.name for one in facts if not one.labelled)
        raise broken_rule(without, "a label, as other cases have", "none", "give all of them labels, or none")
    return facts, failures


def read_case(data: Items, number: int, settings: Settings) -> Case:
    """One case of a data set.

    Raises:
        InputError: if it cannot be read, or not be used.
    """
    try:
        item = data[number]
    except InputError:
        raise
    # A transform can raise anything; what began it says more than MONAI's own line.
    except Exception as error:
        cause = first_cause(error)
        found = f"{type(cause).__name__}: {reason(cause)}"
        raise broken_rule(f"data[{number}]", "an item that can be read", found, "check its files") from error
    return case_of(item, number, settings)
