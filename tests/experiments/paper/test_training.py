from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from torch import nn

from experiments.artefact import Artefact
from experiments.bundles import BUNDLES
from experiments.paper.baseline_networks import baseline_networks
from experiments.paper.networks import paper_networks
from experiments.paper.presets import PRESETS
from experiments.paper.training import LOCAL, configuration, is_trained, load, train, weights
from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.errors import InputError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_phantom_dataset(tmp_path_factory.mktemp("data") / "phantoms", 8, shape=(28, 24, 28), classes=4)


@pytest.fixture
def reformer():
    """The quickest training: an autoencoder for one epoch."""
    networks = paper_networks(PRESETS["smoke"], seed=0)
    return next(training for training in networks if (training.role, training.name) == ("reformer", "Autoencoder II"))


def test_where_things_lie_is_no_part_of_the_configuration(reformer):
    config = configuration(reformer, BUNDLES)
    assert not set(LOCAL) & set(config)
    assert config["epochs"] == 1
    other = configuration(replace(reformer, overrides={**reformer.overrides, "epochs": 2}), BUNDLES)
    assert {name for name in config if config[name] != other[name]} == {"epochs"}


def test_building_a_network_leaves_its_configuration_as_it_was():
    """A parser of MONAI writes ``@gan::channels`` for ``@gan#channels``; the checksum must not change by that."""
    gan = next(t for t in baseline_networks(PRESETS["smoke_baselines"], seed=0) if t.name == "Defense-GAN")
    before = json.dumps(configuration(gan, BUNDLES))
    assert "@gan#channels" in before
    ConfigParser(configuration(gan, BUNDLES)).get_parsed_content("network_def")
    assert json.dumps(configuration(gan, BUNDLES)) == before


def test_a_folder_without_the_bundle_is_named(reformer, tmp_path):
    with pytest.raises(InputError, match="train.json: expected the configuration of a bundle"):
        configuration(reformer, tmp_path)


def test_a_training_ends_with_weights_and_a_record_and_is_loaded(reformer, data, tmp_path):
    artefact = Artefact(tmp_path, "reformer", {"seed": 0})
    assert not is_trained(artefact)
    train(reformer, artefact, BUNDLES, {"dataset_dir": str(data)})
    assert is_trained(artefact)
    assert (artefact.path / "record.json").read_text(encoding="utf-8").startswith("{")
    network = load(reformer, artefact, BUNDLES)
    assert isinstance(network, nn.Module)
    assert not network.training
    stored = torch.load(weights(artefact))
    assert all(torch.equal(values, network.state_dict()[name].cpu()) for name, values in stored.items())
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_training_without_any_validation_says_what_to_mend(reformer, data, tmp_path):
    never = replace(reformer, overrides={**reformer.overrides, "val_interval": 5})
    artefact = Artefact(tmp_path, "reformer", {"seed": 0})
    with pytest.raises(InputError, match=f"{artefact.path.name}: expected weights .* mend epochs, val_interval"):
        train(never, artefact, BUNDLES, {"dataset_dir": str(data)})
    assert not is_trained(artefact)
    assert not weights(artefact).exists()


def test_weights_lie_in_the_folder_of_the_artefact():
    artefact = Artefact(Path("networks"), "target UNet", {})
    assert weights(artefact) == Path("networks") / f"target_UNet_{artefact.digest}" / "model.pt"
