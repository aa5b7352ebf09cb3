"""Read the configurations of a bundle without running them, and name what a bundle has no need to do."""

from __future__ import annotations

import configparser
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monai.utils import optional_import

from monai_advdefense.bundle_tools.config_expression import GLOBALS, expression_problems, imported_names, is_target
from monai_advdefense.errors import InputError
from monai_advdefense.messages import broken_rule, one_line, reason

__all__ = ["check_configs", "is_bundle"]

_LOGGING = {"args": r"\((sys\.(stdout|stderr),)?\)", "class": r"(logging\.)?(StreamHandler|Formatter)"}


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a bundle of MONAI: it has ``configs/metadata.json``."""
    return (Path(path) / "configs" / "metadata.json").is_file()


def check_configs(bundle: str | os.PathLike[str]) -> dict[str, str | None]:
    """Check the configurations of a bundle, of which nothing is run.

    MONAI calls whatever ``_target_`` names and evaluates whatever begins with ``$``: a configuration is a program. Here
    it may name parts of MONAI, torch, ignite, NumPy and this package but for those that load, fetch or run something,
    and its expressions may call these, methods, and functions that only compute. What passes can still do harm.

    Args:
        bundle: folder of a bundle.

    Returns:
        For each file of ``configs`` None, or the one line that says what stands there that a bundle has no need of.
    """
    files = sorted(path for path in (Path(bundle) / "configs").rglob("*") if path.is_file())
    found: dict[str, str | None] = {}
    for path in files:
        if path.suffix in (".json", ".yaml", ".yml", ".conf", ".ini"):
            try:
                _check_file(path)
                found[str(path)] = None
            except InputError as error:
                found[str(path)] = str(error)
    return found


def _check_file(path: Path) -> None:
    try:
        problems = _logging_problems(path) if path.suffix in (".conf", ".ini") else _problems(_read(path))
        problem = next(iter(problems), None)
    except (OSError, ValueError, RecursionError, configparser.Error) as error:
        raise broken_rule(path, "a configuration that can be read", reason(error), "unpack the bundle again") from error
    if problem:
        rule = "a configuration that only builds and runs parts of MONAI, torch and ignite"
        raise broken_rule(path, rule, one_line(problem), "read it, and run it only if you trust who wrote it")


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    yaml, installed = optional_import("yaml")
    if not installed:
        raise OSError("PyYAML is not installed")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(reason(error)) from error


def _problems(config: Any) -> Iterator[str]:
    """What a bundle has no need of, in the order of the file."""
    nodes = list(_nodes(config, ""))
    names = dict(GLOBALS)
    for _, key, value in nodes:
        if key != "_target_" and isinstance(value, str) and re.match(r"\$\s*(import|from)\b", value):
            names |= imported_names(value)
    for place, key, value in nodes:
        if isinstance(value, str):
            yield from (f"{problem} in {place}" for problem in _text_problems(key, value, names))


def _nodes(node: Any, place: str) -> Iterator[tuple[str, str, Any]]:
    """Place, key and value of all that a configuration holds."""
    children = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        here = f"{place}#{key}".removeprefix("#")
        yield here, str(key), child
        yield from _nodes(child, here)


def _text_problems(key: str, text: str, names: Mapping[str, str]) -> Iterator[str]:
    if text.startswith("$"):
        yield from expression_problems(text[1:].strip(), names, key == "_target_")
    elif key == "_target_":
        if not is_target(text):
            yield f"the target {text}"
    elif key == "_mode_" and text == "debug":
        yield "the mode debug"
    elif text.startswith("%") and (".." in text or re.match(r"%(/|~|\w+:[\\/])", text)):
        yield f"a file outside of the bundle, {text}"


def _logging_problems(path: Path) -> Iterator[str]:
    """MONAI gives the file to ``logging.config.fileConfig``, which evaluates classes and arguments."""
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text(encoding="utf-8"))
    for section in parser.sections():
        for key, allowed in _LOGGING.items():
            value = parser.get(section, key, fallback="").strip()
            if value and not re.fullmatch(allowed, value):
                yield f"{key}={value} in {section}"
        if parser.get(section, "kwargs", fallback=""):
            yield f"kwargs in {section}"
