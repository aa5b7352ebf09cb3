"""Training, evaluation and calibration on data that cannot be used: one line that names the file, and exit code 2."""

from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest

TRAIN, EVALUATE, CALIBRATE = ("train",), ("train", "evaluate"), ("train", "calibrate")
SCANS = {TRAIN: "1000", EVALUATE: "1003", CALIBRATE: "1002"}
RUNS = [
    ("brain_mri_segmentation", TRAIN),
    ("brain_mri_segmentation", EVALUATE),
    ("brain_mri_detector", TRAIN),
    ("brain_mri_detector", EVALUATE),
    ("brain_mri_detector", CALIBRATE),
    ("brain_mri_reformer", TRAIN),
    ("brain_mri_reformer", EVALUATE),
    ("brain_mri_defended_segmentation", TRAIN),
    ("brain_mri_defended_segmentation", EVALUATE),
]


@pytest.fixture
def data(phantoms, tmp_path):
    """A copy of the phantoms to spoil."""
    return shutil.copytree(phantoms, tmp_path / "data")


@pytest.fixture
def stopped(copy_bundle, write_weights, workflow, data, tmp_path, capfd, caplog):
    """What a run that must stop says last on stderr."""

    def run(name, configs, **overrides):
        bundle = copy_bundle(name)
        write_weights(bundle, threshold=1000.0, num_classes=4)
        paths = {"run_dir": str(tmp_path / "run"), "output_dir": str(tmp_path / "out")}
        started = workflow(bundle, *configs, **{"dataset_dir": str(data), **paths, **overrides})
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            started.run()
        assert stop.value.code == 2
        printed = capfd.readouterr()
        assert "Traceback" not in printed.out + printed.err + caplog.text
        return printed.err.splitlines()[-1]

    return run


def _change(path, function):
    volume = nib.load(path)
    nib.save(nib.Nifti1Image(function(np.asarray(volume.dataobj)), volume.affine), path)


DAMAGES = {
    "broken": lambda path: path.write_bytes(path.read_bytes()[:900]),
    "constant": lambda path: _change(path, np.zeros_like),
    "NaN": lambda path: _change(path, lambda a: np.where(a > 9, np.nan, a).astype(np.float32)),
    "4-D": lambda path: _change(path, lambda a: np.stack([a, a], -1)),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize(
    ("name", "configs", "damage"),
    [(*run, "broken") for run in RUNS] + [("brain_mri_detector", TRAIN, d) for d in DAMAGES if d != "broken"],
)
def test_a_file_that_cannot_be_used_is_named(stopped, data, name, configs, damage):
    path = data / "images" / f"{SCANS[configs]}.nii.gz"
    DAMAGES[damage](path)
    assert stopped(name, configs).startswith(f"error: {path}: expected")


@pytest.mark.parametrize("configs", [TRAIN, EVALUATE])
@pytest.mark.parametrize("name", ["brain_mri_segmentation", "brain_mri_defended_segmentation"])
def test_a_label_outside_the_classes_is_named(stopped, data, name, configs):
    path = data / "labels" / f"{SCANS[configs]}.nii.gz"
    _change(path, lambda a: np.where(a == 21, 250, a).astype(np.int16))
    last = stopped(name, configs)
    assert last.startswith(f"error: {path}: expected source labels of the classes, found 250 in ")


@pytest.mark.parametrize("configs", [TRAIN, EVALUATE])
def test_another_number_of_classes_is_named(stopped, data, configs):
    last = stopped("brain_mri_segmentation", configs, num_classes=5)
    assert last.startswith(f"error: {data / 'classes.csv'}: expected 5 classes, as num_classes says, found 4")


@pytest.mark.parametrize("name", sorted({name for name, _ in RUNS}))
def test_a_missing_folder_is_named(stopped, data, name):
    last = stopped(name, TRAIN, dataset_dir=str(data / "none"))
    assert last.startswith(f"error: {data / 'none' / 'subjects.csv'}: expected this file")


@pytest.mark.parametrize(("name", "configs"), [run for run in RUNS if run[1] != TRAIN])
def test_weights_that_cannot_be_read_are_named(stopped, tmp_path, name, configs):
    path = tmp_path / "weights.pt"
    path.write_text("weights", encoding="utf-8")
    which = "guard_path" if name == "brain_mri_defended_segmentation" else "ckpt_path"
    assert stopped(name, configs, **{which: str(path)}).startswith(f"error: {path}: expected weights")
