"""The networks of the bundles, with their weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from monai.bundle import ConfigParser
from torch import nn

from experiments.bundles import bundle_config, spelled_out
from monai_advdefense.checksums import file_sha256
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import load_weights


@dataclass(frozen=True)
class Network:
    """A network with its weights in evaluation mode, and what tells it from others."""

    network: nn.Module
    sha256: str
    definition: dict[str, Any]
    description: str

    @property
    def guard(self) -> DefendedSegmenter:
        """The network, which is a guard."""
        return cast(DefendedSegmenter, self.network)


def segmenter_config(bundles: Path, dataset_dir: Path, *overlays: str) -> ConfigParser:
    """Training configuration of the segmentation bundle, overlays included."""
    folder = bundles / "brain_mri_segmentation"
    parser = bundle_config(folder, "train", *overlays)
    parser.update({"bundle_root": str(folder), "dataset_dir": str(dataset_dir)})
    return parser


def load_segmenter(bundles: Path, dataset_dir: Path, *overlays: str) -> Network | None:
    """A segmenter of the segmentation bundle, None without weights."""
    parser = segmenter_config(bundles, dataset_dir, *overlays)
    network = _load(parser, Path(parser.get_parsed_content("ckpt_path")))
    return network and replace(network, description=f"{network.description}, {parser['epochs']} epochs")


def guard_config(bundles: Path, *overlays: str) -> ConfigParser:
    """Inference configuration of the composite, overlays included."""
    folder = bundles / "brain_mri_defended_segmentation"
    parser = bundle_config(folder, "inference", *overlays)
    parser.update({"bundle_root": str(folder)})
    return parser


def load_guard(bundles: Path, *overlays: str) -> Network:
    """The composite, calibrated; an overlay can name other weights.

    Raises:
        InputError: if there are no weights.
        CalibrationError: if its threshold is not calibrated.
    """
    parser = guard_config(bundles, *overlays)
    guard = _load(parser, Path(parser.get_parsed_content("ckpt_path")), require_calibrated=True)
    if guard is None:
        raise broken_rule(bundles, "the weights of the defended segmenter", "none", "train it")
    return guard


def _load(parser: ConfigParser, weights: Path, *, require_calibrated: bool = False) -> Network | None:
    if not weights.is_file():
        return None
    network = parser.get_parsed_content("network").eval()
    load_weights(weights, network, require_calibrated=require_calibrated)
    definition = spelled_out(parser.config, parser["network_def"])
    return Network(network, file_sha256(weights), definition, _describe(network, definition))


def _describe(network: nn.Module, definition: dict[str, Any]) -> str:
    """Class, widths and number of parameters of a network and of its parts."""
    parts = {name: value for name, value in definition.items() if isinstance(value, dict)}
    if len(parts) > 1:
        described = (f"{name} {_describe(network.get_submodule(name), part)}" for name, part in parts.items())
        return "; ".join(described)
    core = next(iter(parts.values()), definition)
    widths = core.get("features") or core.get("down_blocks") or []
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{core['_target_'].rpartition('.')[2]} {'-'.join(map(str, widths))} ({count / 1e6:.2f} M parameters)"
