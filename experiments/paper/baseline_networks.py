"""The networks of the baselines, each as overrides of a bundle's training configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.paper.names import NO_REFORMER
from experiments.paper.networks import Training, guard_overrides, target_network
from experiments.paper.presets import GAN, Preset

PLAIN = "UNet"
DEFENCES = {
    NO_REFORMER: (PLAIN, NO_REFORMER),
    "adversarial training (FGSM)": ("UNet adversarial FGSM", NO_REFORMER),
    "adversarial training (PGD)": ("UNet adversarial PGD", NO_REFORMER),
    "defensive distillation": ("UNet distilled", NO_REFORMER),
    "Defense-GAN": (PLAIN, GAN),
}
"""Target network and reformer of each defence, none first; the attacks are made against the target network."""


def baseline_networks(preset: Preset, seed: int) -> list[Training]:
    """All networks that the baselines need; the first one is the plain target network of the other presets."""
    changes = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    gan, networks = changes.pop(GAN), {PLAIN: target_network(preset, seed, PLAIN)}
    for name, facts in changes.items():
        networks[name] = _changed(networks[facts.pop("like", PLAIN)], name=name, **facts)
    return [*networks.values(), _defense_gan(preset, seed, **gan)]


def _changed(like: Training, *, overrides: Mapping[str, Any], **facts: Any) -> Training:
    return replace(like, overrides={**like.overrides, **overrides}, **facts)


def _defense_gan(preset: Preset, seed: int, cost: float, overrides: Mapping[str, Any]) -> Training:
    sizes = {**guard_overrides(preset, seed, "reformer", GAN), "train_size": [preset.side] * 2, "gan": preset.gan}
    return Training("reformer", GAN, GAN, "brain_mri_reformer", {**sizes, **overrides}, cost=cost * preset.every)
