"""The configuration that a bundle is run by, as text and not as what is built of it."""

from __future__ import annotations

import inspect
from typing import Any

from monai.bundle import ConfigParser

__all__ = ["current_config"]


def current_config() -> dict[str, Any]:
    """The configuration, overrides included, whose parser is building the caller; empty if there is none.

    MONAI gives what it builds no way to the configuration, so this looks for the parser among the callers.

    Example:
        >>> from monai.bundle import ConfigParser
        >>> target = "monai_advdefense.bundle_tools.current_config.current_config"
        >>> parser = ConfigParser({"a": "$1 + 1", "config": {"_target_": target}})
        >>> parser.get_parsed_content("config")["a"]
        '$1 + 1'
    """
    frame = inspect.currentframe()
    while frame is not None:
        parser = frame.f_locals.get("self")
        if isinstance(parser, ConfigParser):
            return dict(parser.get())
        frame = frame.f_back
    return {}
