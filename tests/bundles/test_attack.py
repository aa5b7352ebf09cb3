from __future__ import annotations

import csv
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch

# A U-Net with random weights gives one class everywhere; a single layer gives more than one.
LAYER = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 28, "kernel_size": 3, "padding": 1}
SMALL = {"network_def#segmenter": LAYER}


def test_attacked_copies_are_written_and_measured(copy_bundle, write_weights, workflow, phantoms, tmp_path):
    """From a folder of volumes to attacked copies that the guard then reads with the same scores."""
    bundle = copy_bundle("brain_mri_defended_segmentation")
    state = write_weights(bundle, threshold=1000.0, **SMALL)
    scan = phantoms / "images" / "1000.nii.gz"
    options = {"dataset_dir": str(scan), "slices": 3, "steps": 5, "step_size": 1.0, **SMALL}
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
    workflow(bundle, "inference", "combined", kind="infer", **paths, **SMALL).run()
    with (tmp_path / "defended" / "1000_attacked_scores.csv").open(newline="") as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(scores, [float(row["score"]) for row in rows], rtol=1e-5)
    left = run.network_def.state_dict()
    assert all(torch.equal(value, left[key]) for key, value in state.items())


def test_a_volume_with_fewer_slices_than_asked_for_fails_alone(
    copy_bundle, write_weights, workflow, phantoms, tmp_path, capfd
):
    bundle = copy_bundle("brain_mri_defended_segmentation")
    write_weights(bundle, threshold=1000.0, **SMALL)
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(phantoms / "images" / "1000.nii.gz", folder / "whole.nii.gz")
    volume = nib.load(folder / "whole.nii.gz")
    few = np.asarray(volume.dataobj).copy()
    few[:, :14] = few[:, 18:] = 0
    nib.save(nib.Nifti1Image(few, volume.affine), folder / "few.nii.gz")
    options = {"dataset_dir": str(folder), "slices": 10, "steps": 1, **SMALL}
    run = workflow(bundle, "inference", "attack", kind="infer", output_dir=str(tmp_path / "out"), **options)
    with pytest.raises(SystemExit) as stop:
        run.run()
    assert stop.value.code == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert f"{folder / 'few.nii.gz'}: expected at least 10 slices that are not blank, found 4: ask for fewer" in last
    assert "(1 of 2 volumes failed)" in last
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"whole_attacked.nii.gz", "whole_attack.csv"}
