"""Sizes of the experiments: networks, slices, epochs and attacks of each preset."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.attacks import INFORMED_STEPS, STRENGTHS

GAN = "Defense-GAN"


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
        num_classes: classes of the data, background included.
        phantoms: number of phantoms that stand in for a data set; 0 where one is given.
        resamples: number of bootstrap resamples.
        gan: ``channels`` of the critic, those of the generator backwards, and ``latent_size``, ``restarts`` and
            ``steps`` of :class:`~monai_advdefense.defences.DefenseGAN`; empty unless the baselines are measured.
    """

    side: int
    pixel_size: float
    networks: Mapping[str, Mapping[str, Any]]
    epochs: Mapping[str, Mapping[str, int]]
    every: int = 2
    slices: int | None = None
    strengths: tuple[float, ...] = STRENGTHS
    informed_steps: int = INFORMED_STEPS
    num_classes: int = 28
    phantoms: int = 0
    resamples: int = 1000
    gan: Mapping[str, Any] = field(default_factory=dict)


def presets(path: Path) -> dict[str, Preset]:
    """All presets by name, from a TOML file with a table for each, those that another takes its sizes of first."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    architectures, found = tables.pop("architectures"), dict[str, Preset]()
    for name, table in tables.items():
        of = found.get(table.get("sizes_of"))
        found[name] = _preset(architectures, **table) if of is None else _baselines(of, table["epochs"], table["gan"])
    return found


def _preset(
    architectures: Mapping[str, Any], networks: Mapping[str, Any], epochs: Mapping[str, Any], **sizes: Any
) -> Preset:
    """A preset of the paper; detectors and reformers, the parts of its guards, are trained for as many epochs."""
    if "strengths" in sizes:
        sizes["strengths"] = tuple(sizes["strengths"])
    return Preset(
        networks={name: {**definition, **networks.get(name, {})} for name, definition in architectures.items()},
        epochs={"target": epochs["target"], "detector": epochs["guard"], "reformer": epochs["guard"]},
        **sizes,
    )


def _baselines(preset: Preset, epochs: int, gan: Mapping[str, Any]) -> Preset:
    networks, of_target = {"UNet": preset.networks["UNet"]}, {"UNet": preset.epochs["target"]["UNet"]}
    both = {"target": of_target, "reformer": {GAN: epochs}}
    return replace(preset, networks=networks, epochs=both, strengths=(1.0,), gan=gan)


PRESETS = presets(Path(__file__).with_suffix(".toml"))
