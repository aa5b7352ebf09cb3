"""The defences of the table, each a network that an attacker knows from end to end."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from torch import nn

from monai_advdefense.bundle_tools.bundle_folder import network_of, weights_of
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.weights import load_weights

__all__ = ["DEFENCES", "Defence", "submitted"]

Defence = Callable[[Path], nn.Module]
"""From the folder of the bundles to a network from slices ``(B, 1, H, W)`` in [0, 1] to logits."""


def _loaded(folder: Path, weights: Path, overlays: tuple[Path, ...] = ()) -> nn.Module:
    network = network_of(folder, overlays)
    load_weights(weights, network)
    return network.requires_grad_(False)


def _segmenter(bundles: Path, name: str = "") -> nn.Module:
    folder = bundles / "brain_mri_segmentation"
    if not name:
        return _loaded(folder, weights_of(folder))
    return _loaded(folder, folder / "models" / name / "model.pt", (folder / "configs" / f"{name}.json",))


def _guard(bundles: Path) -> DefendedSegmenter:
    folder = bundles / "brain_mri_defended_segmentation"
    network = _loaded(folder, weights_of(folder))
    if not isinstance(network, DefendedSegmenter):
        raise InputError(f"{folder}: expected a DefendedSegmenter, found {type(network).__name__}: give our bundles")
    return network


def _reformed(bundles: Path) -> nn.Module:
    guard = _guard(bundles)
    return nn.Sequential(guard.reformer, guard.segmenter)


DEFENCES: Mapping[str, Defence] = {
    "none (BasicUNet)": _segmenter,
    "none (SegNet)": partial(_segmenter, name="segnet"),
    "none (FC-DenseNet)": partial(_segmenter, name="densenet"),
    "reformer": _reformed,
    "reformer and guard": _guard,
}
"""By the name of the row."""


def submitted(text: str) -> tuple[str, Defence]:
    """A row from outside: ``NAME=package.module:function``, the function a :data:`Defence`.

    Raises:
        InputError: if the text is none, or there is no such function.

    Example:
        >>> submitted("identity=torch.nn:Identity")[0]
        'identity'
    """
    name, _, place = text.partition("=")
    module, _, function = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, ValueError, AttributeError) as error:
        raise InputError(
            f"--add: expected NAME=package.module:function, found {text!r} ({error}): check that Python can import it"
        ) from error
    return name, found
