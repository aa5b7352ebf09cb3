"""Refuse overrides that no entry of a configuration answers to."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from pydoc import locate
from typing import Any

from fire.parser import DefaultParseValue
from monai.bundle import ComponentLocator, ConfigParser

from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.messages import broken_rule

__all__ = ["check_overrides", "command_line_overrides", "refuse_unknown_overrides"]

# What MONAI understands beside the arguments of a target.
_OPTIONS = {"_target_", "_disabled_", "_requires_", "_desc_", "_mode_", "_imports_"}
# What ``monai.bundle run`` takes for itself.
_OWN = {
    "run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file", "bundle_root",
}  # fmt: skip


def check_overrides(overrides: Iterable[str], config: Mapping[str, Any]) -> None:
    """Check that each override replaces an entry that is there, or an argument that the entry's target takes.

    MONAI adds what it does not know to the configuration, so that a misspelt name changes nothing and says nothing.

    Args:
        overrides: ids, such as ``output_dir`` or ``guard#label``.
        config: the merged configuration.

    Raises:
        InputError: for the first id that names no entry; the message names the nearest one.

    Example:
        >>> check_overrides(["outputdir"], {"output_dir": "eval"})
        Traceback (most recent call last):
        ...
        monai_advdefense.errors.InputError: --outputdir: expected an entry of the configuration, found none of this \
name: did you mean --output_dir?
    """
    for name in overrides:
        here: Any = config
        path: list[str] = []
        for part in re.split("#|::", name):
            known = _names_in(here)
            if known is not None and part not in known:
                raise _unknown(name, path, part, known)
            path.append(part)
            here = _entry(here, part)


def _names_in(entry: Any) -> set[str] | None:
    """Names that may stand below an entry; None if it takes any, or if that is known only when it is built."""
    if isinstance(entry, list):
        return set(map(str, range(len(entry))))
    if not isinstance(entry, Mapping):
        return None
    arguments = _arguments(entry["_target_"]) if "_target_" in entry else set()
    return None if arguments is None else {*entry, *arguments, *(_OPTIONS if "_target_" in entry else ())}


def _arguments(target: Any) -> set[str] | None:
    """Names of the arguments of what an entry builds; None if it takes any."""
    name = target if isinstance(target, str) else ""
    module = ComponentLocator().get_component_module_name(name)
    found = locate(f"{module if isinstance(module, str) else module[0]}.{name}") if module else locate(name)
    try:
        parameters = inspect.signature(found).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return None if takes_any else set(parameters)


def _entry(entry: Any, part: str) -> Any:
    if isinstance(entry, Mapping):
        return entry.get(part)
    return entry[int(part)] if isinstance(entry, list) else None


def _unknown(name: str, path: list[str], part: str, known: set[str]) -> AdvDefenseError:
    nearest = difflib.get_close_matches(part, known, 1, cutoff=0.5)
    names = ", ".join(sorted(key for key in known if not key.startswith("_")))
    remedy = f"did you mean --{'#'.join([*path, nearest[0]])}?" if nearest else f"choose one of {names or 'none'}"
    return broken_rule(f"--{name}", "an entry of the configuration", "none of this name", remedy)


def command_line_overrides(arguments: Sequence[str]) -> tuple[Any, list[str]]:
    """Configuration files and ids of the overrides of a call of ``monai.bundle run``.

    Args:
        arguments: the words of the command line, the program left out.

    Returns:
        Value of ``--config_file`` as MONAI gets it, a path or several or None; ids of all options that MONAI does not
        take for itself.
    """
    options: dict[str, str] = {}
    words = list(arguments)
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            options[name] = value or following
    # Only the parser of MONAI's command line knows a list from a path with spaces or commas.
    files = DefaultParseValue(options["config_file"]) if "config_file" in options else None
    return files, [name for name in options if name not in _OWN]


def refuse_unknown_overrides() -> None:
    """Check the overrides of the command that runs, if that is ``monai.bundle run``.

    Raises:
        InputError: see :func:`check_overrides`.
    """
    if Path(sys.argv[0]).parts[-3:-1] != ("monai", "bundle") or sys.argv[1:2] != ["run"]:
        return
    files, overrides = command_line_overrides(sys.argv[2:])
    if files and overrides:
        check_overrides(overrides, ConfigParser.load_config_files(files))
