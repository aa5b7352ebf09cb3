"""The repository's bundles, whose configurations and weights the experiments use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from monai_advdefense.errors import InputError

BUNDLES = Path(__file__).parents[1] / "bundles"


def bundle_config(folder: Path, *names: str) -> ConfigParser:
    """Configuration of a bundle, its overlays included.

    Raises:
        InputError: if there is no such file.
    """
    files = [folder / "configs" / f"{name}.json" for name in names]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: expected the configuration of a bundle, found no such file: check --bundles")
    return ConfigParser(ConfigParser.load_config_files(files))


def spelled_out(config: Mapping[str, Any], value: Any) -> Any:
    """A part of a configuration with numbers, lists and definitions in place of the references to them.

    References to texts stay: a path changes no result.

    Args:
        config: the whole configuration.
        value: a part of it.

    Example:
        >>> config = {"size": [2, 3], "pad": {"_target_": "Pad", "to": "$[*@size, 1]"}, "folder": "data"}
        >>> spelled_out(config, ["@pad", "@folder"])
        [{'_target_': 'Pad', 'to': '$[*[2, 3], 1]'}, '@folder']
    """
    if isinstance(value, dict):
        return {key: spelled_out(config, item) for key, item in value.items()}
    if isinstance(value, list):
        return [spelled_out(config, item) for item in value]
    if not isinstance(value, str) or not value.startswith(("@", "$")):
        return value
    names = {name for name in re.findall(r"@(\w+)", value) if name in config and not isinstance(config[name], str)}
    if value.removeprefix("@") in names:
        return spelled_out(config, config[value.removeprefix("@")])
    return re.sub(r"@(\w+)", lambda found: str(config[found[1]]) if found[1] in names else found[0], value)
