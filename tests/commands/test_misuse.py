"""What a user does wrong: exit code 2, one line that says what to do, and no traceback."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.commands.main import main
from tests.cluster.conftest import quick_bundle  # noqa: F401

BUNDLE = "brain_mri_defended_segmentation"


def _save(path, shape, spacing=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).normal(100, 20, shape).astype(np.float32).clip(1)
    volume = nib.Nifti1Image(values, np.diag([spacing, spacing, spacing, 1.0]))
    volume.header.set_xyzt_units("mm")
    nib.save(volume, path)


def _write_foreign_bundle(folder):
    """A bundle that appends a name to the folder of inputs, as some of the model zoo do, and may find none."""
    found = "[@dataset_dir + '/ct.nii.gz'] if 'large' in @dataset_dir else []"
    listed = f"$open(@dataset_dir + 'list.csv').readlines() if 'scans' in @dataset_dir else {found}"
    config = {
        "bundle_root": ".",
        "dataset_dir": "data/",
        "output_dir": "eval",
        "device": "$torch.device('cpu')",
        "datalist": listed,
        "network_def": {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1},
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": "LoadImaged", "keys": "image", "ensure_channel_first": True}],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': name} for name in @datalist]",
            "transform": "@preprocessing",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": {"_target_": "DataLoader", "dataset": "@dataset", "num_workers": 1},
            "val_handlers": [{"_target_": "StatsHandler", "iteration_log": False}],
            "network": "@network_def",
            "inferer": {"_target_": "SimpleInferer"},
            "postprocessing": "@postprocessing",
        },
        "evaluating": ["$@evaluator.run()"],
    }
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text("{}")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to stand in, with what a user may have."""
    _save(tmp_path / "scans" / "a.nii.gz", (24, 12, 24))
    _save(tmp_path / "large" / "ct.nii.gz", (260, 6, 40))
    _save(tmp_path / "series_of_volumes" / "4d.nii.gz", (8, 8, 8, 3))
    for name in "abcde":
        _save(tmp_path / "several" / f"{name}.nii.gz", (24, 12, 24))
    (tmp_path / "empty").mkdir()
    _write_foreign_bundle(tmp_path / "foreign")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "no_bundle").mkdir()
    (tmp_path / "list.txt").write_text("scans/a.nii.gz\nscans/a.nii.gz\n")
    (tmp_path / "blank.txt").write_text("\n  \n")
    monkeypatch.chdir(tmp_path)
    # Loggers may still hold the stream of an earlier test, which is closed.
    monkeypatch.setattr("logging.raiseExceptions", False)
    return tmp_path


def _last_line(words, capfd):
    try:
        code = main(words.split())
    except SystemExit as stop:
        code = stop.code
    printed = capfd.readouterr()
    assert code == 2
    assert "Traceback" not in printed.out + printed.err
    return printed.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("screen nowhere -o out", r"\S+/nowhere: expected a file or a folder of inputs, found no such file or fol"),
        ("check @blank.txt", r"INPUT: expected a file or a folder, found none: name one|.*required: INPUT: see advdef"),
        ("screen empty -o out", r"\S+/empty: expected NIfTI files .*, found none: check"),
        ("screen scans -o notes.txt/out", r"output_dir: expected a folder that can be written, found Not a directory"),
        ("screen scans -o /proc/out", r"output_dir: expected a folder that can be written, found No such file"),
        ("screen scans/a.nii.gz scans/a.nii.gz -o out", r"\S+a.nii.gz: expected each input once, found it twice: name"),
        ("screen scans scans/a.nii.gz -o out", r"\S+a.nii.gz: expected each volume once, found it in two of the inp"),
        ("screen @list.txt -o out", r"\S+a.nii.gz: expected each input once, found it twice: name it once"),
        ("screen @missing.txt -o out", r".*No such file or directory: 'missing.txt': see advdefense"),
        ("screen scans -o scans", r"\S+/scans: expected results outside the folder of inputs, found the same: change"),
        ("screen scans scans -o scans", r"\S+/scans: expected each input once, found it twice"),
        ("screen scans --output_dir out", r"--output_dir: expected an option of advdefense screen.*--output-dir\?"),
        ("screen scans -o out --shard 3/2", r"shard: expected I/N with I from 1 to N, found 3/2: give each run"),
        ("screen scans -o out --workers 2", r"options: expected --workers with --engine, found it alone: add --engine"),
        ("screen scans -o out --engine ray --shard 1/2", r"options: expected --engine or --shard, found both: leave"),
        (
            "screen scans -o out --engine ray --no-resume",
            r"options: expected --engine or --no-resume, found both: name",
        ),
        ("screen scans -o out --engine ray --workers 1", r"workers: expected 2 or more, found 1: leave out the engine"),
        (
            "screen scans -o out --bundle no_bundle",
            r"no_bundle: expected a bundle, a folder with",
        ),
        (
            "guard foreign scans -o out",
            r"\S+/foreign: expected a bundle that runs to its end, found FileNotFo",
        ),
        (
            "guard foreign large -o out --spectral",
            r"slice_size: expected at least \(260, 40\), the foreground of \S+large/ct.nii.gz, found",
        ),
        (
            "guard foreign empty/ -o out --spectral",
            r"\S+/foreign: expected results in \S+/out, found none: does \S+/empty/ have the",
        ),
        (
            "guard no_bundle scans -o out",
            r"no_bundle: expected a bundle, a folder with",
        ),
        ("screen large -o out", r"\S+ct.nii.gz: expected .*192.*, found .*260.*: "),
        ("screen series_of_volumes -o out", r"\S+4d.nii.gz: expected a 3-D volume, found 4 dimensions .*: extract one"),
        (
            "screen notes.txt -o out",
            r"\S+notes.txt: expected a NIfTI file .*, found another file ending: conv",
        ),
        ("check nowhere", r"\S+/nowhere: expected a file or a folder of inputs, found no such file or fol"),
        ("screen scans -o out --device gpu", r"--device: expected a device of this machine, found gpu \(.+: name anot"),
        ("screen scans -o out --device cuda:99", r"--device: expected a device of this machine, found cuda:99 \("),
        ("guard foreign scans -o out --device meta", r"--device: expected a device of this machine, found meta \("),
        ("attack scans -o out --device=gpu", r"--device: expected a device of this machine, found gpu \("),
        ("robustness foreign scans -o out --device gpu", r"--device: expected a device of this machine, found gpu \("),
        ("calibrate scans -o s.pt --device gpu", r"--device: expected a device of this machine, found gpu \("),
        (
            "screen scans -o out --bundle brain_mri_segmentation",
            r"\S+/brain_mri_segmentation: expected a bundle of guard and segmenter, found one without a guard: put",
        ),
        ("guard foreign scans -o scans", r"\S+/scans: expected results outside the folder of inputs, found the same"),
        (
            "screen scans -o out --config-file combined.json inference.json",
            r"\S+/combined.json: expected entries that later files leave, found none: name it after them",
        ),
        ("attack scans -o scans", r"\S+/scans: expected results outside the folder of inputs, found the same"),
        (
            "guard foreign scans -o out --spectral --guard-bundle brain_mri_segmentation",
            r"\S+/guard_spectral.json: expected a configuration of a bundle, found no such file: check the path",
        ),
        (
            "calibrate scans -o s.pt --network foreign",
            r"\S+/foreign: expected a bundle that runs to its end, found File",
        ),
        (
            "calibrate several -o empty --volume-rate 0.5",
            r"\S+/empty: expected a file to write, found a folder: name a f",
        ),
        (
            "calibrate several -o notes.txt/s.pt --volume-rate 0.5",
            r"\S+/s.pt: expected to write here, found File exists",
        ),
        (
            "calibrate large -o s.pt --volume-rate 0.5",
            r"volumes: expected those of at least 5 .*found 1: add volumes of others$",
        ),
        ("calibrate large -o s.pt --volume-rate 0", r"volume_rate: expected a number between 0 and 1, found 0.0: 0.05"),
        ("guard foreign nowhere -o out", r"\S+/nowhere: expected a file or a folder of inputs, found no such file or"),
        ("robustness foreign nowhere -o out", r"nowhere: expected a file or a folder of inputs, found no such file or"),
        ("calibrate scans -o s.pt --network no_bundle", r"no_bundle: expected a bundle, a folder with"),
        ("info --bundle-dir nowhere", r"bundles: expected a bundle, a folder with .*, found none at nowhere: unpack"),
        ("info --bundle-dir empty", r"bundles: expected a bundle, a folder with .*, found none at empty: unpack"),
        ("merge empty", r"empty: expected a manifest of a run that has ended, found none: give the output folder"),
        ("attack scans -o out --step-size 0", r"--step-size: expected a finite number above 0, found 0.0: give such"),
        ("attack scans -o out --target nothing", r".*nothing.*: "),
        ("calibrate scans -o s.pt", r"subjects: .*|.*at least 19 subjects for a rate of 0.05 of volumes, found 1.*"),
    ],
)
def test_misuse(place, capfd, words, said):
    line = _last_line(words, capfd)
    assert re.match(f"error: {said}", line), line
    assert not (place / "out").exists() or not list((place / "out").rglob("*.nii.gz"))


def test_a_guard_that_is_not_calibrated_is_refused(place, capfd):
    source = find_bundle(BUNDLE)
    bundle = Path(shutil.copytree(source, place / "bundle", ignore=shutil.ignore_patterns("runs", "eval", "train")))
    for path in (bundle / "models" / "model.pt", bundle / "models" / "screen" / "model.pt"):
        state = torch.load(path, weights_only=True)
        for name in [name for name in state if name.endswith("threshold")]:
            state[name] = torch.full_like(state[name], torch.nan)
        torch.save(state, path)
    line = _last_line("screen scans -o out --bundle ./bundle", capfd)
    assert re.match(r"error: \S+model.pt: expected a calibrated threshold, found no .*: run configs/calib", line), line


def test_images_of_another_kind_are_told_with_the_way_out(place, quick_bundle, capfd):  # noqa: F811
    assert main(["screen", "scans", "-o", "out", "--bundle", str(quick_bundle), "--device", "cpu"]) == 0
    (line,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("a.nii.gz: ")]
    assert line.startswith("a.nii.gz: reject, ")
    assert line.endswith("; if your clean volumes look so too, these images are foreign to the guard: calibrate")
