"""The defences of the table, each a network that an attacker knows from end to end."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from monai_advdefense.bundle_tools.bundle_folder import network_of
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import load_weights

__all__ = ["Defence", "defences_of", "submitted", "undefended"]

_SEGMENTATION, _REFORMER = "brain_mri_segmentation", "brain_mri_reformer"
_COMPOSITE = "brain_mri_defended_segmentation"

# Folder of the weights that were trained against attacks, beside those of clean slices.
_TRAINED = "adversarial"

Defence = Callable[[Path], nn.Module]
"""From the folder of the bundles to a network from slices ``(B, 1, H, W)`` in [0, 1] to logits."""


def _weights(bundles: Path, name: str, kind: str = "") -> Path:
    return bundles / name / "models" / kind / "model.pt"


def _loaded(bundles: Path, name: str, kind: str = "") -> nn.Module:
    network = network_of(bundles / name)
    load_weights(_weights(bundles, name, kind), network)
    return network.requires_grad_(False)


def undefended(bundles: Path) -> nn.Module:
    """The segmenter alone."""
    return _loaded(bundles, _SEGMENTATION)


def _guard(bundles: Path) -> DefendedSegmenter:
    """With the segmenter that was not trained against attackers."""
    network = _loaded(bundles, _COMPOSITE)
    if not isinstance(network, DefendedSegmenter):
        found = type(network).__name__
        raise broken_rule(bundles / _COMPOSITE, "a DefendedSegmenter", found, "give our bundles")
    return network


def _spectral(bundles: Path) -> DefendedSegmenter:
    """The paper's guard: the spectral score decides, which no other reformer changes."""
    guard = _guard(bundles)
    return DefendedSegmenter(guard.detector, guard.reformer, guard.segmenter)


def _reformed(bundles: Path) -> nn.Sequential:
    guard = _guard(bundles)
    return nn.Sequential(guard.reformer, guard.segmenter)


def _adversarial_segmenter(bundles: Path) -> nn.Module:
    return _loaded(bundles, _SEGMENTATION, _TRAINED)


def _adversarial_reformer(bundles: Path) -> nn.Sequential:
    return nn.Sequential(_loaded(bundles, _REFORMER, _TRAINED), _guard(bundles).segmenter)


def _adversarial_guard(bundles: Path) -> nn.Module:
    return _loaded(bundles, _COMPOSITE, _TRAINED)


def _both(bundles: Path) -> nn.Sequential:
    return nn.Sequential(_adversarial_reformer(bundles)[0], _adversarial_segmenter(bundles))


def _spectral_and_adversarial(bundles: Path) -> DefendedSegmenter:
    return DefendedSegmenter(_guard(bundles).detector, *_adversarial_reformer(bundles))


_SHIPPED: Mapping[str, Defence] = {
    "none": undefended,
    "reformer": _reformed,
    "reformer and spectral score (the paper's guard)": _spectral,
    "reformer and sum of scores": _guard,
}
_OF_REFORMER: Mapping[str, Defence] = {
    "reformer trained against attacks": _adversarial_reformer,
    "the same and spectral score": _spectral_and_adversarial,
}
_OF_SEGMENTER: Mapping[str, Defence] = {"segmenter trained against attacks": _adversarial_segmenter}
_OF_COMPOSITE: Mapping[str, Defence] = {
    "reformer, segmenter trained against attacks, sum of scores": _adversarial_guard
}
_OF_BOTH: Mapping[str, Defence] = {"reformer and segmenter trained against attacks": _both}


def defences_of(bundles: Path) -> dict[str, Defence]:
    """By the name of the row; those trained against attacks where their weights are."""
    names = (_REFORMER, _SEGMENTATION, _COMPOSITE)
    reformer, segmenter, composite = (_weights(bundles, name, _TRAINED).is_file() for name in names)
    return {
        **_SHIPPED,
        **(_OF_REFORMER if reformer else {}),
        **(_OF_SEGMENTER if segmenter else {}),
        **(_OF_COMPOSITE if composite else {}),
        **(_OF_BOTH if reformer and segmenter else {}),
    }


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
