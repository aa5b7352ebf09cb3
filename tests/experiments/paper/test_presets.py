from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser

from experiments.paper.names import DETECTORS, REFORMERS, TARGETS
from experiments.paper.presets import PRESETS

OF_THE_PAPER = [name for name, preset in PRESETS.items() if not preset.gan]


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_every_network_of_the_paper_has_a_definition_and_epochs(name):
    preset = PRESETS[name]
    assert set(preset.epochs["target"]) == set(TARGETS) <= set(preset.networks)
    for role, networks in (("detector", DETECTORS), ("reformer", REFORMERS)):
        architectures = {facts[0] for facts in networks.values()}
        assert architectures <= set(preset.epochs[role])
        assert architectures <= set(preset.networks)


@pytest.mark.parametrize("name", ["smoke", "small"])
@pytest.mark.parametrize("architecture", ["UNet", "SegNet", "DenseNet", "Autoencoder I", "Autoencoder II"])
def test_networks_keep_the_size_of_a_slice(name, architecture):
    preset = PRESETS[name]
    sizes = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1}
    network = ConfigParser({"net": {**preset.networks[architecture], **sizes}}).get_parsed_content("net").eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, preset.side, preset.side)).shape == (1, 1, preset.side, preset.side)


@pytest.mark.parametrize(("baselines", "preset"), [("baselines", "small"), ("smoke_baselines", "smoke")])
def test_baselines_have_the_sizes_of_the_other_preset_and_its_target(baselines, preset):
    found, other = PRESETS[baselines], PRESETS[preset]
    for name in ("side", "pixel_size", "every", "slices", "num_classes", "phantoms", "resamples"):
        assert getattr(found, name) == getattr(other, name)
    assert found.networks == {"UNet": other.networks["UNet"]}
    assert found.epochs["target"]["UNet"] == other.epochs["target"]["UNet"]


def test_the_full_preset_has_the_side_of_the_data_and_every_slice():
    full, small = PRESETS["full"], PRESETS["small"]
    assert (full.side * full.pixel_size, full.slices) == (192, None)
    assert small.side * small.pixel_size == 192
    assert full.strengths == small.strengths == (1.0, 0.5, 0.125)
