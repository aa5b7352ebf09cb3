"""What lies in the folder of a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from os import PathLike
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from torch import nn

from monai_advdefense.errors import first_cause
from monai_advdefense.messages import broken_rule, one_line, reason

__all__ = ["config_files_of", "config_of", "is_guarded", "merged_config", "network_of", "setting_of", "weights_of"]

_SUFFIXES = ("json", "yaml", "yml")
# Names, in a _target_ of this package, of what holds a guard or makes one.
_GUARDS = {"DefendedSegmenter", "Guard", "ScreenGuard", "Screen", "load_screen"}


def config_of(bundle: str | Path) -> Path:
    """``configs/inference.json`` of a bundle, or its like in YAML if that is there alone."""
    paths = [Path(bundle) / "configs" / f"inference.{suffix}" for suffix in _SUFFIXES]
    return next((path for path in paths if path.is_file()), paths[0])


def config_files_of(bundle: str | PathLike[str], names: Sequence[str | PathLike[str]]) -> list[Path]:
    """Paths of configurations of a bundle.

    Args:
        bundle: folder of the bundle.
        names: paths of files; what is none lies in the bundle's ``configs``, where ``.json`` may be left out.

    Raises:
        InputError: if a file is missing.
    """
    files = [_config_file(Path(bundle), Path(name)) for name in names]
    for file in files:
        if not file.is_file():
            raise broken_rule(file, "a configuration of a bundle", "no such file", "check the path")
    return files


def _config_file(bundle: Path, path: Path) -> Path:
    if path.suffix and path.is_file():
        return path.absolute()
    if str(path) == "inference":
        return config_of(bundle)
    return bundle / "configs" / (path if path.suffix else f"{path}.json")


def merged_config(files: Sequence[Path]) -> dict[str, Any]:
    """What configurations say together, later ones laid over earlier ones.

    Raises:
        InputError: if one cannot be read, lies over nothing, or says nothing that later ones leave.
    """
    try:
        each = [ConfigParser.load_config_file(str(file)) for file in files]
        config: dict[str, Any] = ConfigParser.load_config_files([str(file) for file in files])
    # Each format has errors of its own.
    except Exception as error:
        names, remedy = ", ".join(map(one_line, files)), "mend it, or name the file that it lies over before it"
        raise broken_rule(names, "a configuration that can be read", reason(first_cause(error)), remedy) from error
    for place, found in enumerate(each):
        later = {name for other in each[place + 1 :] for name in other}
        if found and all(_is_replaced(name, later) for name in found):
            raise broken_rule(files[place], "entries that later files leave", "none", "name it after them, and once")
    return config


def is_guarded(config: Mapping[str, Any]) -> bool:
    """Whether a ``_target_`` of a configuration is a guard of ours, at whatever id; nothing is built to tell."""
    return any(_GUARDS.intersection(path) for package, *path in _targets(config) if package == "monai_advdefense")


def _targets(part: object) -> Iterator[list[str]]:
    """What a part of a configuration builds: the names in each ``_target_``."""
    if isinstance(part, Mapping):
        if "_target_" in part:
            yield str(part["_target_"]).split(".")
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _targets(each)


def _is_replaced(name: str, later: Set[str]) -> bool:
    """Whether later configurations hold an entry as a whole, or one that it is a part of; ``+`` only adds to it."""
    parts = re.split("#|::", name.removeprefix("+"))
    return any("#".join(parts[: length + 1]) in later for length in range(len(parts)))


def weights_of(bundle: str | PathLike[str]) -> Path:
    """``models/model.pt`` of a bundle."""
    return Path(bundle) / "models" / "model.pt"


def setting_of(bundle: str | Path, name: str, overlays: Sequence[str | Path] = ()) -> Any:
    """What an entry of a bundle's inference configuration stands for, such as ``network_def``.

    Args:
        bundle: folder of the bundle.
        name: id of the entry.
        overlays: further configuration files over it, as in ``monai.bundle run``.

    Raises:
        InputError: if there is no configuration, or it does not define the entry.
    """
    path = config_of(bundle)
    for file in (path, *map(Path, overlays)):
        if not file.is_file():
            raise broken_rule(file, "the configuration of a bundle", "no such file", "check the path")
    try:
        parser = ConfigParser()
        parser.read_config([path, *overlays])
        parser["bundle_root"] = str(bundle)
        return parser.get_parsed_content(name)
    # Reading a configuration runs what it names, so anything can be raised.
    except Exception as error:
        raise broken_rule(
            ", ".join(map(one_line, (path, *overlays))),
            f"a {name} that can be built",
            reason(first_cause(error)),
            "mend the configuration",
        ) from error


def network_of(bundle: str | Path, overlays: Sequence[str | Path] = ()) -> nn.Module:
    """The network of a bundle, with random weights, in evaluation mode.

    Args:
        bundle: folder of the bundle.
        overlays: see :func:`setting_of`.

    Raises:
        InputError: if the bundle's ``network_def`` defines none.
    """
    network = setting_of(bundle, "network_def", overlays)
    if not isinstance(network, nn.Module):
        raise broken_rule(config_of(bundle), "a network under network_def", type(network).__name__, "define a module")
    return network.eval()
