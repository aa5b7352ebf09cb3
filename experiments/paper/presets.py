"""Sizes of the experiments: networks, slices, epochs and attacks of each preset."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.attacks import BUDGETS, INFORMED_STEPS, STRENGTHS


@dataclass(frozen=True)
class Preset:
    """Everything that sets one run of the experiments apart from another.

    Attributes:
        side: height and width of a slice in pixels.
        pixel_size: side of a pixel in mm, the mean of those of 1 mm in it.
        networks: definition of each architecture without its channels, by name.
        epochs: epochs of the trainings, by role (``target``, ``detector``, ``reformer``) and by architecture.
        every: train and validate on each n-th slice.
        slices: attacked slices of each test volume, evenly spaced; None for all.
        strengths: step sizes of DAG as fractions of the paper's.
        informed_steps: steps of the informed attacker.
        informed_budgets: its L2 norms as fractions of the norm of DAG type A at full strength.
        num_classes: classes of the data, background included.
        phantoms: number of phantoms that stand in for a data set; 0 where one is given.
        resamples: number of bootstrap resamples.
        gan: arguments of :class:`~monai_advdefense.defences.DefenseGAN` and definition of its critic, in a preset that
            measures the baselines; empty in the others.
    """

    side: int
    pixel_size: float
    networks: Mapping[str, Mapping[str, Any]]
    epochs: Mapping[str, Mapping[str, int]]
    every: int = 2
    slices: int | None = None
    strengths: tuple[float, ...] = STRENGTHS
    informed_steps: int = INFORMED_STEPS
    informed_budgets: tuple[float, ...] = BUDGETS
    num_classes: int = 28
    phantoms: int = 0
    resamples: int = 1000
    gan: Mapping[str, Any] = field(default_factory=dict)


_AUTOENCODER = {"_target_": "monai_advdefense.networks.MagNetAutoencoder", "features": 3}
_ARCHITECTURES: dict[str, dict[str, Any]] = {
    "UNet": {"_target_": "BasicUNet", "norm": "batch"},
    "SegNet": {"_target_": "monai_advdefense.networks.SegNet"},
    "DenseNet": {"_target_": "monai_advdefense.networks.FCDenseNet"},
    "Autoencoder I": {**_AUTOENCODER, "variant": 1},
    "Autoencoder II": {**_AUTOENCODER, "variant": 2},
}


def presets(path: Path) -> dict[str, Preset]:
    """All presets by name, from a TOML file with a table for each, those that another takes its sizes of first."""
    found: dict[str, Preset] = {}
    for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
        found[name] = _baselines(found[table["sizes_of"]], table) if "sizes_of" in table else _preset(**table)
    return found


def _preset(networks: Mapping[str, Any], epochs: Mapping[str, Any], **sizes: Any) -> Preset:
    """A preset of the paper; detectors and reformers, the parts of its guards, are trained for as many epochs."""
    if "strengths" in sizes:
        sizes["strengths"] = tuple(sizes["strengths"])
    return Preset(
        networks={name: {**definition, **networks.get(name, {})} for name, definition in _ARCHITECTURES.items()},
        epochs={"target": epochs["target"], "detector": epochs["guard"], "reformer": epochs["guard"]},
        **sizes,
    )


def _baselines(preset: Preset, table: Mapping[str, Any]) -> Preset:
    return replace(
        preset,
        networks={"UNet": preset.networks["UNet"]},
        epochs={
            "target": {"UNet": preset.epochs["target"]["UNet"]},
            "reformer": {"Defense-GAN": table["epochs"]},
        },
        strengths=(1.0,),
        gan=_gan(preset.side, table["channels"], **table["search"]),
    )


def _gan(side: int, channels: list[int], latent_size: int, **search: int) -> dict[str, Any]:
    """A generator and a critic that halve and double the side with each of their layers."""
    strides = [2] * len(channels)
    generator = {
        "_target_": "monai.networks.nets.Generator",
        "latent_shape": [latent_size],
        "start_shape": [channels[-1], *[side // 2 ** len(channels)] * 2],
        "channels": [*channels[-2::-1], 1],
        "strides": strides,
        "num_res_units": 1,
        "norm": "batch",
    }
    # Not MONAI's Critic: a mean over all places cannot tell where a brain lies. The penalty is on the gradient of each
    # image by itself: no statistics of a batch.
    critic = {
        "_target_": "monai.networks.nets.Discriminator",
        "in_shape": [1, side, side],
        "channels": channels,
        "strides": strides,
        "num_res_units": 0,
        "norm": None,
        "dropout": None,
        "last_act": None,
    }
    return {"network": {"generator": generator, "latent_size": latent_size, **search}, "critic": critic}


PRESETS = presets(Path(__file__).with_suffix(".toml"))
