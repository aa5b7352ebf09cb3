from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser

from experiments.paper.names import DETECTORS, REFORMERS, TARGETS
from experiments.paper.presets import PRESETS, presets

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


def test_presets_of_a_file_share_its_architectures_and_one_takes_the_sizes_of_another(tmp_path):
    path = tmp_path / "presets.toml"
    path.write_text(
        """
[architectures]
UNet = { _target_ = "BasicUNet", norm = "batch" }
SegNet = { _target_ = "SegNet", norm = "instance" }
[tiny]
side = 16
pixel_size = 2.0
strengths = [1.0, 0.5]
networks.UNet.features = [1, 2]
networks.SegNet.norm = "batch"
epochs.target = { UNet = 3, SegNet = 4 }
epochs.guard = { UNet = 5 }
[tiny_baselines]
sizes_of = "tiny"
epochs = 7
gan = { channels = [2], latent_size = 3, restarts = 1, steps = 2 }
"""
    )
    tiny, baselines = presets(path).values()
    assert tiny.networks["UNet"] == {"_target_": "BasicUNet", "norm": "batch", "features": [1, 2]}
    assert tiny.networks["SegNet"]["norm"] == "batch"
    assert tiny.epochs["detector"] == tiny.epochs["reformer"] == {"UNet": 5}
    assert (tiny.strengths, tiny.gan) == ((1.0, 0.5), {})
    assert (baselines.side, baselines.strengths) == (16, (1.0,))
    assert baselines.epochs == {"target": {"UNet": 3}, "reformer": {"Defense-GAN": 7}}
    assert baselines.gan["latent_size"] == 3
