"""The networks of the experiments, each as overrides of a bundle's training configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.paper.names import DETECTORS, REFORMERS, TARGETS
from experiments.paper.presets import Preset

# MagNet trains its autoencoders for detection with this Gaussian noise on the input.
MAGNET_NOISE = 0.1


@dataclass(frozen=True)
class Training:
    """One training: a bundle's train.json and what is different from it.

    Attributes:
        role: ``"target"``, ``"detector"`` or ``"reformer"``.
        name: name of the network within its role.
        architecture: name of its architecture in the preset.
        bundle: bundle whose train.json is used.
        overrides: values of the configuration to replace, by id.
        cost: planned time of a training step, as a multiple of a forward pass and gradient.
        teacher: name of the target network that must be trained before, whose weights are the configuration's
            ``teacher_path``.
    """

    role: str
    name: str
    architecture: str
    bundle: str
    overrides: Mapping[str, Any]
    cost: float = 1.0
    teacher: str | None = None


def paper_networks(preset: Preset, seed: int) -> list[Training]:
    """All networks that the experiments need, targets first."""
    return [
        *(target_network(preset, seed, name) for name in TARGETS),
        *(_detector(preset, seed, name, *facts) for name, facts in DETECTORS.items()),
        *(_reformer(preset, seed, "reformer", name, *facts) for name, facts in REFORMERS.items()),
    ]


def target_network(preset: Preset, seed: int, name: str) -> Training:
    """The target network of an architecture."""
    overrides = {
        **_overrides(preset, seed, "target", name),
        "num_classes": preset.num_classes,
        "network_def": _definition(preset, name, "@num_classes"),
        "train_size": [preset.side] * 2,
    }
    return Training("target", name, name, "brain_mri_segmentation", overrides)


def _detector(preset: Preset, seed: int, name: str, architecture: str, domain: str, shift: bool) -> Training:
    if architecture.startswith("Autoencoder"):
        # A detector of images is the autoencoder alone, which the reformer's bundle trains as a denoiser.
        return _reformer(preset, seed, "detector", name, architecture, MAGNET_NOISE)
    network = {
        "_target_": "monai_advdefense.guard.ReconstructionDetector",
        "network": _definition(preset, architecture, 1),
        "domain": domain,
        "shift": shift,
        "log": True,
    }
    overrides = {**guard_overrides(preset, seed, "detector", architecture), "network_def": network}
    return Training("detector", name, architecture, "brain_mri_detector", overrides)


def _reformer(preset: Preset, seed: int, role: str, name: str, architecture: str, noise_std: float) -> Training:
    network = {"_target_": "monai_advdefense.guard.Reformer", "network": _definition(preset, architecture, 1)}
    sizes = {"train_size": [preset.side] * 2, "noise_std": noise_std}
    overrides = {**guard_overrides(preset, seed, role, architecture), "network_def": network, **sizes}
    return Training(role, name, architecture, "brain_mri_reformer", overrides)


def guard_overrides(preset: Preset, seed: int, role: str, architecture: str) -> dict[str, Any]:
    """Overrides of a guard's training. The bundles' own guards also know a template brain, which the paper has not."""
    return {
        **_overrides(preset, seed, role, architecture),
        "train#dataset#data": "$data.malc2012_datalist(@dataset_dir, 'train', ['image'])",
        "validate#dataset#data": "$data.malc2012_datalist(@dataset_dir, 'validation', ['image'])",
    }


def _overrides(preset: Preset, seed: int, role: str, architecture: str) -> dict[str, Any]:
    """Seed, lengths and sizes; pixels of 1 mm that make a coarser one are averaged.

    Sampling without averaging would fold the fine detail of the image, its noise too, into the spectrum, where it
    hides an attack.
    """
    keys: dict[str, Any] = {"keys": ["image", "label"], "allow_missing_keys": True}
    zoom = [1 / preset.pixel_size, 1.0, 1 / preset.pixel_size]
    coarse = {"_target_": "Zoomd", **keys, "zoom": zoom, "mode": ["area", "nearest"], "keep_size": False}
    padded = {"_target_": "SpatialPadd", **keys, "spatial_size": [preset.side, -1, preset.side]}
    return {
        "seed": seed,
        "epochs": preset.epochs[role][architecture],
        "every": preset.every,
        "slice_size": [preset.side] * 2,
        "pad_slices": {"_target_": "Compose", "transforms": [coarse, padded]},
    }


def _definition(preset: Preset, architecture: str, out_channels: int | str) -> dict[str, Any]:
    return {**preset.networks[architecture], "spatial_dims": 2, "in_channels": 1, "out_channels": out_channels}
