"""Write the JSON configurations of all bundles."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from bundle_configs import defended_segmentation, detector, reformer, segmentation
from monai_advdefense.atomic_path import atomic_path

__all__ = ["BUNDLES", "main", "texts"]

BUNDLES = {
    "brain_mri_defended_segmentation": defended_segmentation.configs,
    "brain_mri_detector": detector.configs,
    "brain_mri_reformer": reformer.configs,
    "brain_mri_segmentation": segmentation.configs,
}


def texts() -> dict[str, str]:
    """Content of each file, by its path in the folder of the bundles."""
    return {
        f"{bundle}/configs/{name}.json": json.dumps(config, indent=4) + "\n"
        for bundle, configs in BUNDLES.items()
        for name, config in configs().items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the JSON configurations of all bundles."""
    parser = argparse.ArgumentParser(prog="python -m bundle_configs", description=main.__doc__)
    parser.add_argument("--bundles", default=Path(__file__).parents[1] / "bundles", type=Path, metavar="DIR")
    folder = parser.parse_args(arguments).bundles
    for name, text in texts().items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
