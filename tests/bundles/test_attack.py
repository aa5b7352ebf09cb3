from __future__ import annotations

import csv

import nibabel as nib
import numpy as np
import torch


def test_attacked_copies_are_written_and_measured(copy_bundle, write_weights, workflow, phantoms, tmp_path):
    """From a folder of volumes to attacked copies that the guard then reads with the same scores."""
    bundle = copy_bundle("brain_mri_defended_segmentation")
    # A U-Net with random weights gives one class everywhere; a single layer gives more than one.
    layer = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 28, "kernel_size": 3, "padding": 1}
    small = {"network_def#segmenter": layer}
    state = write_weights(bundle, threshold=1000.0, **small)
    scan = phantoms / "images" / "1000.nii.gz"
    options = {"dataset_dir": str(scan), "slices": 3, "steps": 5, "step_size": 1.0, **small}
    options["inferer"] = {"_target_": "monai_advdefense.bundle.AttackInferer", "attack": "@attack", "slices": "@slices"}
    run = workflow(bundle, "inference", "attack", kind="infer", output_dir=str(tmp_path / "attacked"), **options)
    assert run.check_properties() == []
    run.run()

    attacked = tmp_path / "attacked" / "1000_attacked.nii.gz"
    with (tmp_path / "attacked" / "1000_attack.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    touched = [row for row in rows if row["attacked"] == "True"]
    assert len(touched) == 3
    assert all(float(row["flipped"]) > 0 for row in touched)
    # Steps of one length, not all in one direction.
    assert all(1.0 < float(row["norm"]) <= 5 * 1.0 + 0.1 for row in touched)
    assert {row["accepted"] for row in rows} == {"True"}
    difference = nib.load(attacked).get_fdata() != nib.load(scan).get_fdata()
    assert difference.any(axis=(0, 2)).sum() == 3

    paths = {"dataset_dir": str(attacked), "output_dir": str(tmp_path / "defended")}
    workflow(bundle, "inference", kind="infer", **paths, **small).run()
    with (tmp_path / "defended" / "1000_attacked_scores.csv").open(newline="") as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(scores, [float(row["score"]) for row in rows], rtol=1e-5)
    left = run.network_def.state_dict()
    assert all(torch.equal(value, left[key]) for key, value in state.items())
