"""Words of a page, from the file ``texts.toml`` beside the module that makes it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def texts_beside(module: str) -> dict[str, Any]:
    """Words by name, for the ``__file__`` of a module."""
    return tomllib.loads(Path(module).with_name("texts.toml").read_text(encoding="utf-8"))
