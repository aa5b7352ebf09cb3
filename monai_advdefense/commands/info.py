"""``advdefense info``: the bundles that are found here."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_advdefense.commands.options import add_bundle_dir

__all__ = ["add_arguments", "info", "run"]

_OF_THE_SCREEN = ("threshold", "false_positive_rate", "volume_limit", "volume_rate", "volumes", "subjects")


def info(bundle_dir: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """What is known of each bundle in the folders in which bundles are looked for.

    Args:
        bundle_dir: see :func:`~monai_advdefense.bundle_tools.find_bundle.bundle_dirs`.

    Returns:
        For each bundle ``name``, ``version``, ``path``, ``task``, ``license`` of code and weights, ``weights`` (path,
        SHA-256; None if there are none), ``screen`` (what decides in inference.json: path, SHA-256, threshold, rates,
        limit and number of subjects; None if there is none) and ``calibration`` (threshold and rate of the network
        alone; None if there is none).

    Raises:
        InputError: if there is no bundle, or a bundle's metadata cannot be read.
    """
    from monai_advdefense.bundle_tools.find_bundle import bundle_dirs, no_bundle

    places = list(bundle_dirs(bundle_dir))
    folders = [path for folder in places if folder.is_dir() for path in sorted(folder.iterdir())]
    bundles = [folder for folder in folders if (folder / "configs" / "metadata.json").is_file()]
    if not bundles:
        raise no_bundle("bundles", places)
    return [_facts(folder) for folder in bundles]


def _facts(bundle: Path) -> dict[str, Any]:
    from monai_advdefense.bundle_tools.bundle_folder import weights_of
    from monai_advdefense.checksums import file_sha256
    from monai_advdefense.messages import broken_rule, reason

    path = bundle / "configs" / "metadata.json"
    weights = weights_of(bundle)
    screen = weights.parent / "screen" / weights.name
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        calibration, fit = (_record(file) for file in (weights, screen))
    except (OSError, ValueError) as error:
        raise broken_rule(path, "the metadata of a bundle", reason(error), "unpack the bundle again") from error
    return {
        "name": bundle.name,
        "version": metadata.get("version"),
        "path": str(bundle),
        "task": metadata.get("task"),
        "license": metadata.get("license") or metadata.get("copyright"),
        "weights": {"path": str(weights), "sha256": file_sha256(weights)} if weights.is_file() else None,
        "screen": fit and {"path": str(screen), "sha256": file_sha256(screen), **_some(fit, _OF_THE_SCREEN)},
        "calibration": calibration and _some(calibration, ("threshold", "false_positive_rate")),
    }


def _record(weights: Path) -> dict[str, Any] | None:
    """What a calibration says of itself."""
    path = weights.with_suffix(".calibration.json")
    return json.loads(path.read_text(encoding="utf-8")) if weights.is_file() and path.is_file() else None


def _some(record: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: record.get(name) for name in names}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    add_bundle_dir(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    bundles = info(options.bundle_dir)
    if options.json:
        print(json.dumps(bundles, indent=4))
        return
    for bundle in bundles:
        weights, calibration, screen = bundle["weights"], bundle["calibration"], bundle["screen"]
        print(f"{bundle['name']} {bundle['version']}: {bundle['task']}")
        print(f"  folder   {bundle['path']}")
        print(f"  weights  {'sha256 ' + weights['sha256'] if weights else 'none: train it or unpack its archive'}")
        if screen:
            print(
                f"  screen   slices: threshold {screen['threshold']:.4g}, for {screen['false_positive_rate']:.3g} of "
                f"clean ones rejected; volumes: limit {screen['volume_limit']:.4g}, for {screen['volume_rate']:.3g} "
                f"called other than clean; set on {screen['volumes']} volumes of {screen['subjects']} subjects"
            )
        if calibration:
            rate = calibration["false_positive_rate"]
            name = "sum     " if screen else "detector"
            print(f"  {name} threshold {calibration['threshold']:.4g}, for {rate:.3g} of clean slices rejected")
        print(f"  licence  {bundle['license']}")
