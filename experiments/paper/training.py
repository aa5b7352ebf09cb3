"""Train a network by a bundle's configuration, and load it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.utils import set_determinism
from torch import nn

from experiments.artefact import Artefact
from experiments.bundles import bundle_config
from experiments.paper.networks import Training
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import InputError
from monai_advdefense.weights import load_weights

# Where things lie and what runs them changes no result.
LOCAL = ("bundle_root", "dataset_dir", "sample_dir", "ckpt_path", "run_dir", "device", "teacher_path")


def configuration(training: Training, bundles: Path) -> dict[str, Any]:
    """The bundle's train.json with the overrides of a training, without what is local to a machine."""
    config = _parser(training, bundles).config
    return {name: value for name, value in config.items() if name not in LOCAL}


def train(training: Training, artefact: Artefact, bundles: Path, paths: Mapping[str, str]) -> None:
    """Run a training to its end, from where an earlier run of it was stopped."""
    parser = _parser(training, bundles)
    parser.update({**paths, "run_dir": str(artefact.path / "run"), "ckpt_path": str(weights(artefact))})
    parser.get_parsed_content("initialize")
    try:
        parser.get_parsed_content("run")
    finally:
        # The bundle has seeded the process; what comes next seeds itself.
        set_determinism(seed=None)
    if not weights(artefact).is_file():
        raise InputError(
            f"{artefact.path}: expected weights at the end of the training, found none, because no validation gave a "
            "finite figure; delete the folder, and mend epochs, val_interval or learning_rate"
        )
    with atomic_path(artefact.path / "record.json") as temporary:
        temporary.write_text(artefact.record(), encoding="utf-8")


def is_trained(artefact: Artefact) -> bool:
    """Whether the training of this artefact has come to its end."""
    return (artefact.path / "record.json").is_file()


def weights(artefact: Artefact) -> Path:
    """File of the weights of a training."""
    return artefact.path / "model.pt"


def load(training: Training, artefact: Artefact, bundles: Path) -> nn.Module:
    """The trained network in evaluation mode, on the device that the bundle chooses."""
    parser = _parser(training, bundles)
    network: nn.Module = parser.get_parsed_content("network")
    load_weights(weights(artefact), network)
    return network.eval()


def _parser(training: Training, bundles: Path) -> ConfigParser:
    parser = bundle_config(bundles / training.bundle, "train")
    # A copy: the parser rewrites references in place, and the overrides tell what a network depends on.
    parser.update(copy.deepcopy(dict(training.overrides)))
    return parser
