from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer

SOURCE = Path(__file__).parents[2] / "bundles"
SIDE = 32
CLASSES = 4


def _convolution(classes):
    return {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": classes, "kernel_size": 3, "padding": 1}


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory):
    """Eight phantoms, two of them in the test split."""
    return write_phantom_dataset(tmp_path_factory.mktemp("phantoms"), 8, shape=(24, 20, 24), classes=CLASSES)


@pytest.fixture
def bundles(tmp_path):
    """The repository's configurations with slices of 32 x 32 and a convolution for each network, without weights."""
    folder = tmp_path / "bundles"
    for name in ("brain_mri_segmentation", "brain_mri_defended_segmentation"):
        (folder / name / "configs").mkdir(parents=True)
    for name in ("train", "segnet", "densenet"):
        config = json.loads((SOURCE / "brain_mri_segmentation" / "configs" / f"{name}.json").read_text())
        config["network_def"] = _convolution("@num_classes")
        if name == "train":
            config["num_classes"] = CLASSES
            config["volume_transforms"][5]["spatial_size"] = [SIDE, -1, SIDE]
        (folder / "brain_mri_segmentation" / "configs" / f"{name}.json").write_text(json.dumps(config))
    guard = {
        "_target_": "monai_advdefense.guard.DefendedSegmenter",
        "detector": {"_target_": "monai_advdefense.guard.ReconstructionDetector", "network": _convolution(1)},
        "reformer": {"_target_": "monai_advdefense.guard.Reformer", "network": _convolution(1)},
        "segmenter": _convolution(CLASSES),
    }
    config = {"network_def": guard, "network": "$@network_def"}
    (folder / "brain_mri_defended_segmentation" / "configs" / "inference.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def write_weights(bundles):
    """Writes random weights of the segmenter and the composite, the threshold in the middle of the scores."""

    def write(seed=0, threshold=None):
        torch.manual_seed(seed)
        guard = DefendedSegmenter(
            ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1)),
            Reformer(nn.Conv2d(1, 1, 3, padding=1)),
            nn.Conv2d(1, CLASSES, 3, padding=1),
        )
        middle = guard.detector.score(torch.rand(1, 1, SIDE, SIDE)).item()
        guard.detector.threshold.fill_(middle if threshold is None else threshold)
        for name, network in (("segmentation", guard.segmenter), ("defended_segmentation", guard)):
            (bundles / f"brain_mri_{name}" / "models").mkdir(exist_ok=True)
            torch.save(network.state_dict(), bundles / f"brain_mri_{name}" / "models" / "model.pt")
        return guard

    return write
