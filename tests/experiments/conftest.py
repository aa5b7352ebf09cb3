from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
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
            config["slice_size"] = [SIDE, SIDE]
        (folder / "brain_mri_segmentation" / "configs" / f"{name}.json").write_text(json.dumps(config))
    guard = {
        "_target_": "monai_advdefense.guard.DefendedSegmenter",
        "detector": {"_target_": "monai_advdefense.guard.ReconstructionDetector", "network": _convolution(1)},
        "reformer": {"_target_": "monai_advdefense.guard.Reformer", "network": _convolution(1)},
        "segmenter": _convolution(CLASSES),
    }
    source = SOURCE / "brain_mri_defended_segmentation" / "configs"
    network = {"imports": ["$import os"], "network_def": guard, "network": "$@network_def"}
    for name, entries in (("inference", network), ("adversarial", {})):
        config = json.loads((source / f"{name}.json").read_text())
        entries |= {key: config[key] for key in ("ckpt_path", "screen_path")}
        (folder / "brain_mri_defended_segmentation" / "configs" / f"{name}.json").write_text(json.dumps(entries))
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


VERSIONS = {"command", "date", "monai", "torch", "monai_advdefense"}


def _digest(folder):
    """Of each CSV file: its columns, a checksum of its words, and for each column of numbers how many and their sum.

    The sum is weighted by the place of the row, so that the order of the rows counts.
    """
    found = {}
    for path in sorted(Path(folder).glob("*.csv")):
        table = pd.read_csv(path, keep_default_na=False, na_values=["", "nan"])
        table = table.drop(columns=VERSIONS & set(table.columns))
        numbers = table.select_dtypes("number")
        words = table.drop(columns=numbers.columns).fillna("").to_csv(index=False)
        weights = np.arange(1, len(table) + 1)
        found[path.name] = {
            "columns": list(table.columns),
            "rows": len(table),
            "words": hashlib.sha256(words.encode()).hexdigest()[:16],
            "numbers": {
                name: [int(column.notna().sum()), float(np.nansum(column * weights))]
                for name, column in numbers.items()
            },
        }
    return found


def _differences(folder, expected):
    """Where the tables of a folder are not those of a digest, numbers to within 1e-6 in each row."""
    found, wanted = _digest(folder), json.loads(Path(expected).read_text(encoding="utf-8"))
    told = [f"{name}: not in both" for name in found.keys() ^ wanted.keys()]
    for name in found.keys() & wanted.keys():
        one, other = found[name], wanted[name]
        told += [f"{name}: {key}" for key in ("columns", "rows", "words") if one[key] != other[key]]
        for column, (count, total) in one["numbers"].items():
            tolerance = 1e-6 * one["rows"] * (one["rows"] + 1) / 2
            known = other["numbers"].get(column, [-1, np.nan])
            if count != known[0] or not abs(total - known[1]) <= tolerance:
                told.append(f"{name}: {column}")
    return sorted(told)


@pytest.fixture(scope="session")
def differences():
    """Tells where the tables of a folder are not those of a digest in a JSON file."""
    return _differences
