"""Detector and reformer from the folder of a bundle."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from monai_advdefense.bundle_tools.bundle_folder import config_of, network_of, weights_of
from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.guard.detector import ReconstructionDetector
from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import load_weights

__all__ = ["load_detector", "load_reformer"]


def load_detector(bundle: str | Path, device: str | torch.device = "cpu") -> ReconstructionDetector:
    """Load the calibrated detector of a detector's bundle, or of a defended segmenter's.

    Args:
        bundle: name or folder of the bundle, see :func:`~monai_advdefense.bundle_tools.find_bundle.find_bundle`.
        device: where the detector shall run.

    Raises:
        InputError: if there is no such bundle, or it holds no such network, or no weights for it.
        CalibrationError: if the detector is not calibrated.
    """
    bundle = find_bundle(bundle)
    network = _load(bundle)
    detector = network.detector if isinstance(network, DefendedSegmenter) else network
    if not isinstance(detector, ReconstructionDetector):
        raise broken_rule(
            config_of(bundle),
            "a ReconstructionDetector or a DefendedSegmenter under network_def",
            type(detector).__name__,
            "give the bundle of the guard",
        )
    if not torch.isfinite(detector.threshold):
        raise broken_rule(
            weights_of(bundle),
            "a calibrated threshold",
            "none",
            "run configs/calibrate.json of the detector's bundle",
            error=CalibrationError,
        )
    return detector.to(device)


def load_reformer(bundle: str | Path, device: str | torch.device = "cpu") -> nn.Module:
    """Load the reformer of a reformer's bundle, or of a defended segmenter's.

    Args:
        bundle: name or folder of the bundle, see :func:`~monai_advdefense.bundle_tools.find_bundle.find_bundle`.
        device: where the reformer shall run.

    Raises:
        InputError: if there is no such bundle, or it holds no such network, or no weights for it.
    """
    bundle = find_bundle(bundle)
    network = _load(bundle)
    reformer = network.reformer if isinstance(network, DefendedSegmenter) else network
    if isinstance(reformer, ReconstructionDetector):
        raise broken_rule(
            config_of(bundle),
            "a reformer or a DefendedSegmenter under network_def",
            type(reformer).__name__,
            "give the bundle of the reformer as well",
        )
    return reformer.to(device)


def _load(bundle: str | Path) -> nn.Module:
    network = network_of(bundle)
    load_weights(weights_of(bundle), network)
    return network.eval().requires_grad_(False)
