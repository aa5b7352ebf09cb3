"""The composite with its screen: calibrated by its own configuration, run, and refused without."""

from __future__ import annotations

import csv
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_advdefense.data.malc2012 import malc2012_source_labels
from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.screen import SCREEN_SCORES

REJECTED, RATE = 28, 0.1
SMALL = {"write_report#suspicious": 1}


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Phantoms of ten subjects: nine to calibrate with, and one that is new."""
    folder = write_phantom_dataset(tmp_path_factory.mktemp("volumes"), 10, shape=(36, 24, 36)) / "images"
    new = folder.parent / "new"
    new.mkdir()
    shutil.move(sorted(folder.iterdir())[-1], new / "clean.nii.gz")
    volume = nib.load(new / "clean.nii.gz")
    squared = (np.asarray(volume.dataobj, dtype=np.float64) ** 2 / 2000).round().astype(np.int16)
    nib.save(nib.Nifti1Image(squared, volume.affine), new / "squared.nii.gz")
    return folder, new


@pytest.fixture(scope="module")
def shared():
    """What the tests share, so that it is computed once."""
    return {}


@pytest.fixture
def bundle(shared, volumes, copy_bundle, write_weights, workflow):
    """The composite with random weights and a screen that was calibrated by its own configuration."""
    if not shared:
        folder = copy_bundle("brain_mri_defended_segmentation")
        write_weights(folder, threshold=1000.0)
        shared["run"] = _calibrate(workflow, folder, volumes[0])
        shared["run"].run()
        shared["bundle"] = folder
    return shared["bundle"]


def _calibrate(workflow, folder, data, rate=RATE):
    paths = {"dataset_dir": str(data), "clean_volumes": str(data)}
    return workflow(folder, "inference", "calibrate", kind="infer", **paths, false_positive_rate=rate, volume_rate=rate)


def test_calibration_writes_the_screen_and_what_it_was_fitted_on(bundle):
    state = torch.load(bundle / "models" / "screen" / "model.pt", weights_only=True)
    assert all(torch.isfinite(value).all() for value in state.values())
    record = json.loads((bundle / "models" / "screen" / "model.calibration.json").read_text(encoding="utf-8"))
    assert record["threshold"] == float(state["threshold"])
    assert (record["subjects"], record["volumes"], record["false_positive_rate"]) == (9, 9, RATE)
    assert record["predicted_dice_reason"] == "no volume has a label"


def test_a_volume_gets_its_verdict_in_tables_pages_and_terminal(bundle, volumes, workflow, tmp_path, capfd):
    out = tmp_path / "out"
    run = workflow(bundle, "inference", kind="infer", dataset_dir=str(volumes[1]), output_dir=str(out), **SMALL)
    assert run.check_properties() == []
    run.run()
    told = capfd.readouterr().out
    with (out / "report.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["input"]: row for row in csv.DictReader(file)}
    assert rows["squared.nii.gz"]["verdict"] in ("review", "reject")
    for name in ("clean", "squared"):
        record = json.loads((out / f"{name}_scores.json").read_text(encoding="utf-8"))
        row = rows[f"{name}.nii.gz"]
        assert (row["verdict"], row["cause"]) == (record["verdict"], record["cause"])
        assert (record["cause"] in CAUSES) == (record["verdict"] != "clean")
        assert float(row["p_value"]) == pytest.approx(record["p_value"])
        assert float(row["expected_rejected"]) == pytest.approx(record["expected_rejected"])
        assert record["predicted_dice"] is None
        assert record["provenance"]["false_positive_rate"] == RATE
        assert len(record["provenance"]["screen_sha256"]) == 64
        assert f"{name}.nii.gz: {record['verdict']}, " in told
        assert f"{record['rejected']} of {record['judged']} slices rejected" in told
        _check_slices(out / name, record)
        page = (out / f"{name}_report.html").read_text(encoding="utf-8")
        assert record["headline"] in page


def _check_slices(stem, record):
    """The table and the segmentation say of each slice what the record says."""
    with stem.with_name(f"{stem.name}_scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["decision"] for row in rows} <= {"accepted", "rejected", "not_judged", "blank"}
    labels = np.asarray(nib.load(stem.with_name(f"{stem.name}_seg.nii.gz")).dataobj)
    for row, entry in zip(rows, record["slices"], strict=True):
        assert (row["decision"], row["spoke"], row["cause"]) == (entry["decision"], entry["spoke"], entry["cause"])
        rejected = row["decision"] == "rejected"
        assert (row["spoke"] in SCREEN_SCORES) == (row["cause"] in CAUSES) == rejected
        assert (float(row["score"]) > float(row["threshold"])) == rejected
        assert (labels[:, int(row["input_index"])] == REJECTED).any() == rejected
    assert sum(row["decision"] == "rejected" for row in rows) == record["rejected"]


def test_a_calibration_with_labels_predicts_the_dice_that_was_measured(bundle, volumes, workflow, tmp_path, capfd):
    labels = volumes[0].parent / "labels"
    cases = [{"image": str(path), "label": str(labels / path.name)} for path in sorted(volumes[0].iterdir())]
    paths = {"dataset_dir": str(volumes[0]), "clean_volumes": cases, "screen_path": str(tmp_path / "screen.pt")}
    settings = {"false_positive_rate": RATE, "volume_rate": RATE}
    settings["source_labels"] = malc2012_source_labels(volumes[0].parent)
    workflow(bundle, "inference", "calibrate", kind="infer", **paths, **settings).run()
    assert "; Dice is predicted\n" in capfd.readouterr().out
    out, screen = tmp_path / "out", paths["screen_path"]
    given = {"dataset_dir": str(volumes[1] / "clean.nii.gz"), "output_dir": str(out), "screen_path": screen, **SMALL}
    workflow(bundle, "inference", kind="infer", **given).run()
    predicted = json.loads((out / "clean_scores.json").read_text(encoding="utf-8"))["predicted_dice"]
    # Random weights find no structure.
    assert 0 <= predicted["low"] <= predicted["dice"] <= predicted["high"] < 0.3


def test_without_a_screen_inference_is_refused(copy_bundle, write_weights, volumes, workflow, tmp_path, capfd):
    folder = copy_bundle("brain_mri_defended_segmentation")
    write_weights(folder, threshold=1000.0)
    run = workflow(folder, "inference", kind="infer", dataset_dir=str(volumes[1]), output_dir=str(tmp_path / "out"))
    with pytest.raises(SystemExit) as stopped:
        run.run()
    assert stopped.value.code == 2
    assert "models/screen/model.pt: expected a file with weights" in capfd.readouterr().err.splitlines()[-1]


def test_a_rate_that_the_subjects_cannot_carry_leaves_the_screen_as_it_was(bundle, volumes, workflow, capfd):
    path = bundle / "models" / "screen" / "model.pt"
    before = path.read_bytes()
    with pytest.raises(SystemExit) as stopped:
        _calibrate(workflow, bundle, volumes[1], 0.3).run()
    assert stopped.value.code == 2
    assert "at least 5 subjects for a rate of 0.3 of volumes, found 2" in capfd.readouterr().err.splitlines()[-1]
    assert path.read_bytes() == before
