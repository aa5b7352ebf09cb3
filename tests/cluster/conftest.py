"""A bundle and volumes that are quick, so that many of them can be run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from monai_advdefense.data.phantom import write_phantom_dataset

BUNDLE = Path(__file__).parents[2] / "bundles" / "brain_mri_defended_segmentation"


@pytest.fixture(scope="session")
def quick_bundle(tmp_path_factory):
    """The shipped bundle for slices of 48 x 48, whose pages show no pictures."""
    ignored = shutil.ignore_patterns("runs", "eval", "denoiser")
    bundle = shutil.copytree(BUNDLE, tmp_path_factory.mktemp("quick") / BUNDLE.name, ignore=ignored)
    path = Path(bundle) / "configs" / "inference.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["slice_size"], config["write_report"]["suspicious"] = [48, 48], 0
    path.write_text(json.dumps(config), encoding="utf-8")
    return Path(bundle)


@pytest.fixture
def write_volumes(tmp_path):
    """Writes small phantoms; gives their folder."""

    def write(count):
        return write_phantom_dataset(tmp_path / "phantoms", count, shape=(40, 8, 40), classes=4) / "images"

    return write


def results(folder):
    """What a run has written, without what tells its time."""
    kept = (path for path in Path(folder).rglob("*") if path.name.endswith(("_seg.nii.gz", ".csv")))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}
