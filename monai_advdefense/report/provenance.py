"""Programs and weights that made a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import monai
import torch

import monai_advdefense
from monai_advdefense.errors import InputError

__all__ = ["BundleFacts", "Provenance", "bundle_facts", "calibrated_rate", "file_sha256", "package_versions"]


def package_versions() -> dict[str, str]:
    """Versions of this package, MONAI and PyTorch."""
    return {
        "monai_advdefense": monai_advdefense.__version__,
        "monai": str(monai.__version__),
        "torch": str(torch.__version__),
    }


@dataclass(frozen=True)
class Provenance:
    """Programs and weights that made a result; None is not known.

    Attributes:
        versions: package name to version.
        model: name and version of the model.
        weights_sha256: checksum of the weights file.
        weights_license: terms of use of the weights.
        false_positive_rate: fraction of clean slices that the threshold was calibrated to reject, in [0, 1].
    """

    versions: Mapping[str, str] = field(default_factory=package_versions)
    model: str | None = None
    weights_sha256: str | None = None
    weights_license: str | None = None
    false_positive_rate: float | None = None


@dataclass(frozen=True)
class BundleFacts:
    """What a report takes from a bundle's metadata.

    Attributes:
        model: name and version.
        class_names: name of every output channel, by number.
    """

    model: str | None = None
    class_names: Mapping[int, str] = field(default_factory=dict)


def bundle_facts(path: str | PathLike[str]) -> BundleFacts:
    """Read name, version and class names (``channel_def`` of the output ``pred``) from a bundle's metadata.json.

    Raises:
        InputError: if the file cannot be read as JSON object.
    """
    try:
        metadata = json.loads(Path(path).read_text(encoding="utf-8"))
        outputs = metadata.get("network_data_format", {}).get("outputs", {})
        channels = outputs.get("pred", {}).get("channel_def", {})
        names = {int(channel): str(name) for channel, name in channels.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: expected the metadata.json of a bundle, found none ({error}); check the path"
        ) from error
    model = " ".join(str(metadata[key]) for key in ("name", "version") if key in metadata)
    return BundleFacts(model or None, names)


def calibrated_rate(weights: str | PathLike[str], threshold: float) -> float | None:
    """Read the false positive rate that a threshold was calibrated for.

    Args:
        weights: weights file; beside ``model.pt`` lies the record of its calibration, ``model.calibration.json``.
        threshold: the threshold in use.

    Returns:
        The rate in [0, 1]; None if there is no record, or one of another threshold.

    Raises:
        InputError: if the record cannot be read.
    """
    path = Path(weights).with_suffix(".calibration.json")
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return float(record["false_positive_rate"]) if record["threshold"] == threshold else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected the record of a calibration, found none ({error}); calibrate again or remove the file"
        ) from error


def file_sha256(path: str | PathLike[str]) -> str:
    """SHA-256 of a file as hexadecimal digits.

    Raises:
        InputError: if the file cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: expected a readable file ({error.strerror}); check the path") from error
