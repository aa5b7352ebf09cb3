from __future__ import annotations

from pathlib import Path

import pytest
from monai.bundle import ConfigParser

import monai_advdefense
from monai_advdefense.experiments.paper.presets import PRESETS
from monai_advdefense.experiments.paper.training import configuration
from monai_advdefense.experiments.paper.trainings import trainings

BUNDLES = Path(monai_advdefense.__file__).parents[1] / "bundles"


@pytest.fixture(scope="module", params=["smoke", "small"])
def networks(request):
    return {(t.role, t.name): t for t in trainings(PRESETS[request.param], seed=5)}


def test_there_are_three_targets_eight_detectors_and_the_four_reformers_with_the_denoiser(networks):
    assert [name for role, name in networks if role == "target"] == ["UNet", "SegNet", "DenseNet"]
    assert len([name for role, name in networks if role == "detector"]) == 8
    assert len([name for role, name in networks if role == "reformer"]) == 5


def test_every_override_names_an_entry_of_its_bundle(networks):
    for training in networks.values():
        plain = ConfigParser(ConfigParser.load_config_file(BUNDLES / training.bundle / "configs" / "train.json"))
        for name in training.overrides:
            assert plain[name] is not None, (training.name, name)


def test_overrides_arrive_in_the_configuration_and_nothing_local_does(networks):
    config = configuration(networks["detector", "UNet unshifted"], BUNDLES)
    assert config["seed"] == 5
    assert config["network_def"]["shift"] is False
    assert "'calibration'" not in str(config["train"]["dataset"]["data"])
    assert "template" not in str(config["train"]["dataset"]["data"]) + str(config["validate"]["dataset"]["data"])
    assert not {"dataset_dir", "ckpt_path", "run_dir", "device"} & set(config)


def test_only_the_autoencoders_for_detection_and_the_denoiser_see_noise(networks):
    noisy = {key for key, training in networks.items() if training.overrides.get("noise_std")}
    assert noisy == {("detector", "Autoencoder I"), ("detector", "Autoencoder II"), ("reformer", "UNet denoiser")}


def test_volumes_are_resampled_to_the_pixels_of_the_preset(networks):
    config = configuration(networks["target", "UNet"], BUNDLES)
    spacing, pad = config["volume_transforms"][2], config["volume_transforms"][5]
    preset = next(p for p in PRESETS.values() if p.side == pad["spatial_size"][0])
    assert spacing["_target_"] == "Spacingd"
    assert spacing["pixdim"] == [preset.pixel_size, 1.0, preset.pixel_size]
