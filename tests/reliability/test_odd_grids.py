"""Volumes of one slice, thin slabs and voxels of 0.3 to 6 mm go through the whole bundle and back on their own grid."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np

from monai_advdefense.data.phantom import brain_phantom
from tests.bundles.conftest import (  # noqa: F401
    copy_bundle,
    elsewhere,
    phantoms,
    samples,
    workflow,
    write_weights,
)

CLASSES = 4
SMALL = {"features": [4] * 6, "num_classes": CLASSES}
# Axis and thickness of slabs, and sizes of voxels in mm.
SLABS = [(1, 1), (0, 1), (2, 3), (1, 2), (1, 3), (0, 2), (0, 3), (2, 1), (2, 2)]
SIZES = [0.3, 6.0, 0.5, 0.8, 1.5, 3.0]


def _volumes(full):
    """Volumes by name."""
    brain = brain_phantom((40, 32, 40), seed=0)[0]
    found = {}
    for axis, thickness in SLABS if full else SLABS[:3]:
        slab = np.take(brain, range(16, 16 + thickness), axis)
        found[f"slab_{axis}_{thickness}"] = nib.Nifti1Image(slab, np.eye(4))
    for size in SIZES if full else SIZES[:2]:
        shape = tuple(max(6, round(side / size)) for side in (40, 32, 40))
        found[f"size_{size}"] = nib.Nifti1Image(brain_phantom(shape, seed=1)[0], np.diag([size, size, size, 1.0]))
    return found


def test_each_comes_back_on_its_grid_with_a_verdict(
    copy_bundle,  # noqa: F811
    write_weights,  # noqa: F811
    workflow,  # noqa: F811
    tmp_path,
    full,
    figure,
):
    bundle, inputs, out = copy_bundle("brain_mri_defended_segmentation"), tmp_path / "inputs", tmp_path / "out"
    write_weights(bundle, threshold=1000.0, **SMALL)
    inputs.mkdir()
    volumes = _volumes(full)
    for name, volume in volumes.items():
        nib.save(volume, inputs / f"{name}.nii.gz")
    names = {"dataset_dir": str(inputs), "output_dir": str(out), "write_report#suspicious": 0, **SMALL}
    workflow(bundle, "inference", "combined", kind="infer", **names).run()
    for name, volume in volumes.items():
        labels, record = nib.load(out / f"{name}_seg.nii.gz"), json.loads((out / f"{name}_scores.json").read_text())
        assert labels.shape == volume.shape, name
        assert np.array_equal(labels.affine, nib.load(inputs / f"{name}.nii.gz").affine), name
        assert set(np.unique(labels.dataobj)) <= set(range(CLASSES)), name
        assert record["verdict"] == "clean", name
        assert all(np.isfinite(entry["score"]) for entry in record["slices"]), name
        # A slice of the input is shown as often as it is resampled.
        assert {entry["input_index"] for entry in record["slices"]} <= set(range(volume.shape[1])), name
    figure(f"{len(volumes)} of {len(volumes)} on the grid of their input, all slices with a score")
