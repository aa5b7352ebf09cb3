"""Programs and weights that made a result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import monai
import torch

import monai_advdefense
from monai_advdefense.messages import broken_rule

__all__ = ["BundleFacts", "Provenance", "bundle_facts", "package_versions"]


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
        screen_sha256: checksum of the file of the screen that decided.
        weights_license: terms of use of the weights.
        false_positive_rate: fraction of clean slices that the threshold was calibrated to reject, in [0, 1].
    """

    versions: Mapping[str, str] = field(default_factory=package_versions)
    model: str | None = None
    weights_sha256: str | None = None
    screen_sha256: str | None = None
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
        raise broken_rule(path, "the metadata.json of a bundle", f"none ({error})", "check the path") from error
    model = " ".join(str(metadata[key]) for key in ("name", "version") if key in metadata)
    return BundleFacts(model or None, names)
