"""The repository's bundles, whose configurations and weights the experiments use."""

from __future__ import annotations

from pathlib import Path

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
