"""The libraries of the extra ``dicom``."""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec

from monai_advdefense.messages import broken_rule

__all__ = ["check_libraries", "quiet_libraries"]

_NEEDED = ("pydicom", "highdicom")


def check_libraries(*further: str) -> None:
    """Check that pydicom and highdicom are installed; they are imported where they are used.

    Args:
        further: names of other modules that are needed.

    Raises:
        InputError: if one is missing.
    """
    missing = [name for name in (*_NEEDED, *further) if find_spec(name) is None]
    if missing:
        found = f"no {' and no '.join(missing)}"
        raise broken_rule("DICOM", "the libraries that read it", found, "pip install 'monai_advdefense[dicom]'")


def quiet_libraries() -> None:
    """Keep them from telling of every module that they copy, and of odd values whether they are used or not."""
    logging.getLogger("highdicom").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"pydicom\.valuerep", category=UserWarning)
    warnings.filterwarnings("ignore", message="The string .* is unlikely to represent", category=UserWarning)
