"""The guard in front of bundles of the model zoo, with random weights."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_advdefense.commands.main import main
from tests.commands.zoo_configs import CONFIGS

REJECTED = 255
SHAPE = (24, 28, 20)
# What is needed beside MONAI, and what the network is made of.
NEEDED = {"prostate_mri_anatomy": ("pandas", "skimage")}
UNEST = """
import torch

class UNesT(torch.nn.Conv3d):
    def __init__(self, in_channels, out_channels, **settings):
        super().__init__(in_channels, out_channels, 1)
"""


def _write_volumes(name, folder):
    """What the bundle lists as its inputs; CT in Hounsfield units."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in SHAPE), indexing="ij"))
    noise = np.random.default_rng(0).normal(100, 20, SHAPE)
    values = np.where((grid**2).sum(0) < 0.64, noise, -1000 if "ct" in name else 0).astype(np.float32)
    files = {
        "spleen_ct_segmentation": ["imagesTs/a.nii.gz"],
        "wholeBody_ct_segmentation": ["imagesTs/a.nii.gz"],
        "brats_mri_segmentation": [f"{contrast}.nii.gz" for contrast in "abcd"],
    }.get(name, ["a.nii.gz"])
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(values, np.eye(4)), folder / file)
    (folder / "test.csv").write_text("ID,t2\n1,a.nii.gz\n")


@pytest.fixture
def bundle(request, tmp_path, monkeypatch):
    """A bundle with random weights; its inputs lie in ``inputs`` beside it."""
    folder, config = tmp_path / request.param, CONFIGS[request.param]
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    scripts = folder / "scripts" / "networks"
    scripts.mkdir(parents=True)
    (scripts / "unest_base_patch_4.py").write_text(UNEST)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps({"version": "0.1.0"}))
    inputs = [{"image": [f"{contrast}.nii.gz" for contrast in "abcd"]}]
    (folder / "configs" / "datalist.json").write_text(json.dumps({"testing": inputs}))
    monkeypatch.syspath_prepend(folder)
    torch.manual_seed(0)
    network = ConfigParser(config).get_parsed_content("network_def")
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    _write_volumes(request.param, tmp_path / "inputs")
    yield folder
    for module in [name for name in sys.modules if name.partition(".")[0] == "scripts"]:
        del sys.modules[module]


@pytest.mark.parametrize("bundle", CONFIGS, indirect=True)
def test_bundles_of_the_model_zoo_run_to_the_end_or_say_what_is_missing(bundle, tmp_path, capfd):
    code = main(["guard", str(bundle), f"{tmp_path / 'inputs'}/", "-o", str(tmp_path / "out")])
    missing = [name for name in NEEDED.get(bundle.name, ()) if find_spec(name) is None]
    if missing:
        assert code == 2
        line = capfd.readouterr().err.splitlines()[-1]
        assert line.startswith("error: ")
        assert any(name in line.lower() for name in missing)
        return
    assert code == 0
    [written] = (tmp_path / "out").rglob("*.nii.gz")
    labels = np.asarray(nib.load(written).dataobj)
    assert labels.shape == SHAPE
    # The guard does not know such images: slices are rejected as a whole, by the axis that counts them.
    rejected = (labels == REJECTED).all(axis=(0, 2))
    assert rejected.any()
    assert not (labels[:, ~rejected] == REJECTED).any()
