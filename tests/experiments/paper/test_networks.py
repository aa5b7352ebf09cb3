from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

import monai_advdefense
from experiments.paper.networks import paper_networks
from experiments.paper.presets import PRESETS
from experiments.paper.training import configuration

BUNDLES = Path(monai_advdefense.__file__).parents[1] / "bundles"


@pytest.fixture(scope="module", params=["smoke", "small"])
def networks(request):
    return {(t.role, t.name): t for t in paper_networks(PRESETS[request.param], seed=5)}


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


def test_a_coarse_pixel_is_the_mean_of_the_fine_ones_in_it(tmp_path):
    volume = np.zeros((24, 8, 24), np.float32)
    volume[2:22, :, 4:20] = np.random.default_rng(0).uniform(0.1, 1, (20, 8, 16))
    nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "brain.nii.gz")
    fine, coarse = (
        _slices(replace(PRESETS["small"], side=side, pixel_size=size), tmp_path / "brain.nii.gz")
        for side, size in ((40, 1.0), (20, 2.0))
    )
    assert coarse.shape == (8, 20, 20)
    torch.testing.assert_close(coarse, torch.nn.functional.avg_pool2d(fine, 2))


def _slices(preset, path):
    """Coronal slices ``(Y, X, Z)`` of a volume, as detectors see them."""
    training = next(t for t in paper_networks(preset, 0) if (t.role, t.name) == ("detector", "UNet shifted"))
    parser = ConfigParser(configuration(training, BUNDLES))
    image = parser.get_parsed_content("train#preprocessing")({"image": str(path)})["image"]
    return image.as_tensor()[0].movedim(1, 0)
