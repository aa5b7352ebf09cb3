"""Whole bundles on a device: what their configurations write about generated brains, with the weights that ship."""

from __future__ import annotations

import csv
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from torch import Tensor

from monai_advdefense.bundle_tools.run_bundle import run_bundle
from monai_advdefense.data.malc2012 import malc2012_datalist
from monai_advdefense.data.phantom import write_phantom_dataset

__all__ = ["RUNS", "BundleRun", "results_of", "write_brains"]

BUNDLES = Path(__file__).parents[2] / "bundles"
CLASSES = 28
COMPOSITE = "brain_mri_defended_segmentation"


@dataclass(frozen=True)
class BundleRun:
    """Configurations of a bundle that are run together.

    Args:
        bundle: its name.
        configs: names of its configurations, later ones over earlier ones.
        overrides: values by the id of an entry.
        inputs: folder of the inputs in that of the brains.
        data: entries that are the images of all brains.
        tolerance: largest difference between two devices; more for a training, whose steps pass rounding on.
    """

    bundle: str
    configs: tuple[str, ...]
    overrides: dict[str, Any] = field(default_factory=dict)
    inputs: str = "."
    data: tuple[str, ...] = ()
    tolerance: float = 1e-4

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.bundle}: {' + '.join(self.configs)}"

    def on(self, device: torch.device, brains: Path, folder: Path) -> dict[str, Tensor]:
        """What it writes into a copy of the bundle in a new folder, see :func:`results_of`."""
        ignored = shutil.ignore_patterns("runs", "eval", "adversarial", "denoiser", "densenet", "segnet")
        bundle = shutil.copytree(BUNDLES / self.bundle, folder / self.bundle, ignore=ignored)
        given = {"device": f"$torch.device('{device}')", "dataset_dir": str(brains / self.inputs), **self.overrides}
        given |= {entry: _cases(brains) for entry in self.data}
        run_bundle(bundle, self.configs, {"slice_size": [48, 48], **given})
        return results_of(bundle)


_RATE = {"false_positive_rate": 0.3}
_SLICES = "validate#dataset#data"
_ONE = "images/1000.nii.gz"

RUNS = (
    BundleRun(COMPOSITE, ("inference",), inputs=_ONE),
    BundleRun(COMPOSITE, ("inference", "combined"), inputs=_ONE),
    BundleRun(COMPOSITE, ("inference", "attack"), {"slices": 2, "steps": 2}, inputs=_ONE),
    BundleRun(COMPOSITE, ("inference", "calibrate"), {**_RATE, "volume_rate": 0.3}, data=("clean_volumes",)),
    BundleRun(COMPOSITE, ("inference", "calibrate_combined"), _RATE, data=("calibration#dataset#data",)),
    BundleRun(COMPOSITE, ("train", "evaluate")),
    BundleRun("brain_mri_detector", ("inference",), inputs=_ONE),
    BundleRun("brain_mri_detector", ("train", "calibrate"), _RATE, data=(_SLICES,)),
    BundleRun("brain_mri_detector", ("train",), {"epochs": 1}, data=("train#dataset#data", _SLICES), tolerance=1e-2),
    BundleRun("brain_mri_reformer", ("inference",), inputs=_ONE),
    BundleRun("brain_mri_segmentation", ("inference",), inputs=_ONE),
)
"""All kinds of runs of the bundles, and by them all handlers but the one of several processes."""


def write_brains(folder: Path) -> Path:
    """Nine small phantoms in the layout of MALC 2012, and as many classes as the bundles have."""
    brains = write_phantom_dataset(folder, 9, shape=(36, 24, 36), classes=4)
    with (brains / "classes.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([number, f"structure {number}", 10 * number + 1] for number in range(4, CLASSES))
    return brains


def _cases(brains: Path) -> list[dict[str, str]]:
    return [
        case for split in ("train", "validation", "calibration", "test") for case in malc2012_datalist(brains, split)
    ]


def results_of(folder: Path) -> dict[str, Tensor]:
    """Numbers of all volumes, tables and weights in a folder, by file and by column or entry."""
    read = {".nii.gz": _volume, ".csv": _columns, "model.pt": _state}
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for ending, values in read.items():
            if path.name.endswith(ending):
                found |= {f"{path.relative_to(folder)}: {name}": value for name, value in values(path)}
    return found


def _volume(path: Path) -> Iterator[tuple[str, Tensor]]:
    yield "voxels", torch.from_numpy(np.array(nib.load(path).dataobj))


def _state(path: Path) -> Iterator[tuple[str, Tensor]]:
    yield from torch.load(path, weights_only=True).items()


def _columns(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Columns of numbers; what is written in others as checksums, which are alike where the words are."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    for name, *cells in zip(*rows, strict=True):
        try:
            yield name, torch.tensor([float(cell or "nan") for cell in cells])
        except ValueError:
            yield name, torch.tensor([zlib.crc32(cell.encode()) for cell in cells])
