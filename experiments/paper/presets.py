"""Sizes of the experiments: networks, slices, epochs and attacks of each preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    slices: int | None = 12
    strengths: tuple[float, ...] = STRENGTHS
    informed_steps: int = INFORMED_STEPS
    informed_budgets: tuple[float, ...] = BUDGETS
    num_classes: int = 28
    phantoms: int = 0
    resamples: int = 1000
    gan: Mapping[str, Any] = field(default_factory=dict)


def _networks(unet: list[int], segnet: list[int], densenet: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    autoencoder = {"_target_": "monai_advdefense.networks.MagNetAutoencoder", "features": 3}
    return {
        "UNet": {"_target_": "BasicUNet", "features": unet, "norm": "batch"},
        "SegNet": {"_target_": "monai_advdefense.networks.SegNet", "features": segnet},
        "DenseNet": {"_target_": "monai_advdefense.networks.FCDenseNet", **densenet},
        "Autoencoder I": {**autoencoder, "variant": 1},
        "Autoencoder II": {**autoencoder, "variant": 2},
    }


def _epochs(
    target: int, guard: int, *, autoencoder: int, densenet_target: int, densenet_guard: int
) -> dict[str, dict[str, int]]:
    """Epochs by role; the autoencoders learn slowly behind their sigmoids, the DenseNet takes several times as long."""
    part = {
        "UNet": guard,
        **dict.fromkeys(("Autoencoder I", "Autoencoder II"), autoencoder),
        "DenseNet": densenet_guard,
    }
    return {
        "target": {"UNet": target, "SegNet": target, "DenseNet": densenet_target},
        "detector": part,
        "reformer": part,
    }


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


def _baselines(preset: Preset, gan: Mapping[str, Any], epochs: int) -> Preset:
    """The baselines at the sizes of another preset, whose UNet target they share."""
    return replace(
        preset,
        networks={"UNet": preset.networks["UNet"]},
        epochs={"target": {"UNet": preset.epochs["target"]["UNet"]}, "reformer": {"Defense-GAN": epochs}},
        strengths=(1.0,),
        gan=gan,
    )


PRESETS = {
    "smoke": Preset(
        side=32,
        pixel_size=1.0,
        networks=_networks(
            [4, 4, 8, 8, 8, 4],
            [4, 4, 4, 4, 4],
            {"down_blocks": [1, 1], "bottleneck_layers": 1, "growth_rate": 4, "init_features": 4, "dropout": 0.2},
        ),
        epochs=_epochs(3, 1, autoencoder=1, densenet_target=3, densenet_guard=1),
        slices=3,
        strengths=(1.0,),
        informed_steps=4,
        num_classes=4,
        phantoms=8,
        resamples=50,
    ),
    "small": Preset(
        side=96,
        pixel_size=2.0,
        networks=_networks(
            [16, 16, 32, 64, 128, 16],
            [8, 16, 32, 64, 64],
            {
                "down_blocks": [4, 4, 4, 4, 4],
                "bottleneck_layers": 4,
                "growth_rate": 4,
                "init_features": 16,
                # With 4 channels a layer, dropout (0.2 at full width) holds training back.
                "dropout": 0.0,
            },
        ),
        epochs=_epochs(16, 32, autoencoder=100, densenet_target=10, densenet_guard=12),
    ),
    "full": Preset(
        side=192,
        pixel_size=1.0,
        networks=_networks(
            [64, 128, 256, 512, 1024, 64],
            [64, 128, 256, 512, 512],
            {
                "down_blocks": [4, 5, 7, 10, 12],
                "bottleneck_layers": 15,
                "growth_rate": 16,
                "init_features": 48,
                "dropout": 0.2,
            },
        ),
        epochs=_epochs(30, 10, autoencoder=100, densenet_target=30, densenet_guard=10),
        slices=None,
    ),
}
PRESETS["baselines"] = _baselines(PRESETS["small"], _gan(96, [16, 32, 64, 128], 64, restarts=10, steps=200), 100)
PRESETS["smoke_baselines"] = _baselines(PRESETS["smoke"], _gan(32, [4, 8, 8], 8, restarts=2, steps=5), 2)
