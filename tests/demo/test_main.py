from __future__ import annotations

import math
import re
import subprocess

import nibabel as nib
import numpy as np
import pytest
import torch

from demo import __main__ as demo
from demo.comparison import Row, format_table, read_decisions, tissue_dice, tissue_of_classes
from monai_advdefense.errors import InputError, OutputError


def test_tissues_take_each_class_once_and_leave_fluid_and_rejection_out():
    labels = torch.arange(29)
    tissue = tissue_of_classes(labels)
    assert set(labels[tissue == 0].tolist()) == {0, 5, 6, 24, 25, 28}
    assert tissue[[3, 4, 23]].tolist() == [1, 1, 1]
    assert tissue[[1, 2, 7, 8]].tolist() == [2, 2, 2, 2]
    assert tissue.max() == 2


def test_dice_of_tissues_counts_only_the_chosen_slices():
    tissue = torch.zeros(4, 3, 2, dtype=torch.int64)
    tissue[:2], tissue[2:] = 1, 2
    labels = torch.where(tissue == 1, 3, 2)
    labels[:, 1] = 28
    labels[1, 2] = 1
    assert tissue_dice(labels, tissue, [0], slice_dim=1) == (1.0, 1.0)
    assert tissue_dice(labels, tissue, [1], slice_dim=1) == (0.0, 0.0)
    # Slice 2: grey 2 of 4 voxels found, white 4 of 4 with 2 more. Intersection twice over the sum of the sizes.
    assert tissue_dice(labels, tissue, [2], slice_dim=1) == pytest.approx((2 * 2 / (2 + 4), 2 * 4 / (6 + 4)))
    assert tissue_dice(labels, tissue, [0, 2], slice_dim=1) == pytest.approx((2 * 6 / (6 + 8), 2 * 8 / (10 + 8)))
    assert all(math.isnan(value) for value in tissue_dice(labels, tissue, [], slice_dim=1))


def test_dice_of_volumes_of_other_shape_is_refused():
    with pytest.raises(InputError, match="same shape"):
        tissue_dice(torch.zeros(4, 3, 2), torch.zeros(4, 3, 3), [0], slice_dim=1)


def test_decisions_are_by_slice_of_the_input_without_blank_ones(tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text(
        "slice,position_mm,input_index,score,threshold,decision\n"
        "0,1.0,7,0.5,8.0,accepted\n1,2.0,8,9.0,8.0,rejected\n2,3.0,9,0.0,8.0,blank\n3,4.0,,0.5,8.0,accepted\n"
    )
    assert read_decisions(table) == {7: "accepted", 8: "rejected"}


@pytest.mark.parametrize("content", [None, "slice,score\n0,1\n", "input_index,decision\nx,accepted\n"])
def test_a_broken_score_table_is_named(tmp_path, content):
    table = tmp_path / "scores.csv"
    if content is not None:
        table.write_text(content)
    with pytest.raises(InputError, match="scores.csv"):
        read_decisions(table)


def test_table_is_aligned_and_says_what_was_measured():
    nothing = (math.nan, math.nan)
    rows = [
        Row("clean", 170, 5, (0.91234, 0.9), (0.92, 0.93)),
        Row("attacked slices", 0, 24, nothing, (0.125, 0.0)),
        Row("none", 0, 0, nothing, nothing),
    ]
    head, columns, *lines = format_table(rows).split("\n")
    assert "with the guard" in head
    assert columns.split() == ["slices", "accepted", "rejected", "grey", "white", "grey", "white"]
    assert len({len(line) for line in [columns, *lines]}) == 1
    cells = [re.split(" {2,}", line) for line in lines]
    assert cells[0] == ["clean", "175", "170 (97%)", "5 (3%)", "0.912", "0.900", "0.920", "0.930"]
    assert cells[1] == ["attacked slices", "24", "0 (0%)", "24 (100%)", "-", "-", "0.125", "0.000"]
    assert cells[2] == ["none", "0", "0 (-)", "0 (-)", "-", "-", "-", "-"]


def _bundle(folder):
    for name in ("configs/inference.json", "configs/attack.json", "models/model.pt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_bundle_without_weights_ends_before_anything_is_written(tmp_path, capsys):
    bundle = _bundle(tmp_path / "bundle")
    (bundle / "models" / "model.pt").unlink()
    with pytest.raises(SystemExit) as end:
        demo.main(["--output_dir", str(tmp_path / "out"), "--bundle_root", str(bundle)])
    assert end.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "model.pt" in last
    assert "--bundle_root" in last
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_volumes_is_left_as_it_is(tmp_path, capsys):
    bundle = _bundle(tmp_path / "bundle")
    other = tmp_path / "out" / "input" / "mine.nii.gz"
    other.parent.mkdir(parents=True)
    other.write_text("a scan")
    with pytest.raises(SystemExit) as end:
        demo.main(["--output_dir", str(tmp_path / "out"), "--bundle_root", str(bundle)])
    assert end.value.code == 2
    assert "mine.nii.gz" in capsys.readouterr().err.strip().splitlines()[-1]
    assert other.read_text() == "a scan"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["input"]


def test_unknown_options_are_refused(capsys):
    with pytest.raises(SystemExit) as end:
        demo.main(["--outputs", "x"])
    assert end.value.code == 2
    assert "--outputs" in capsys.readouterr().err


def test_a_failed_run_shows_its_log(tmp_path, capfd, monkeypatch):
    def fail(command, *, stdout, **_):
        stdout.write("error: scan.nii: broken\n")
        return subprocess.CompletedProcess(command, 2)

    monkeypatch.setattr(demo.subprocess, "run", fail)
    with pytest.raises(OutputError, match="exit code 2"):
        demo._run_bundle(tmp_path, ["inference", "attack"], tmp_path / "a.nii", tmp_path / "out", "--slices", "24")
    shown = capfd.readouterr()
    assert "scan.nii: broken" in shown.err
    assert "configs/inference.json" in shown.out
    assert "--slices 24" in shown.out
    assert (tmp_path / "log_attack.txt").read_text().endswith("broken\n")


def test_attacked_slices_are_those_that_differ(tmp_path):
    (tmp_path / "input").mkdir()
    clean = np.full((4, 6, 5), 10, np.int16)
    attacked = clean.astype(np.float32)
    attacked[1, 2, 3] += 0.5
    attacked[0, 5, 0] -= 1
    for name, volume in (("clean", clean), ("attacked", attacked)):
        nib.save(nib.Nifti1Image(volume, np.eye(4)), tmp_path / "input" / f"{name}.nii.gz")
    assert demo._attacked_slices(tmp_path) == {2, 5}


def _results(folder, decisions):
    """What the bundle writes: both volumes, segmentations in which all is grey, and the decisions of each slice."""
    (folder / "input").mkdir()
    (folder / "output").mkdir()
    clean = np.full((4, 6, 5), 10, np.float32)
    attacked = clean.copy()
    attacked[:, 1:3] += 1
    for name, volume in (("clean", clean), ("attacked", attacked)):
        nib.save(nib.Nifti1Image(volume, np.eye(4)), folder / "input" / f"{name}.nii.gz")
        nib.save(
            nib.Nifti1Image(np.full(clean.shape, 3, np.uint8), np.eye(4)), folder / "output" / f"{name}_seg.nii.gz"
        )
        lines = [f"{index},{decision}" for index, decision in enumerate(decisions[name])]
        text = "\n".join(["input_index,decision", *lines]) + "\n"
        (folder / "output" / f"{name}_scores.csv").write_text(text)
    tissue = np.ones(clean.shape, np.uint8)
    nib.save(nib.Nifti1Image(tissue, np.eye(4)), folder / "tissue.nii.gz")
    return folder / "tissue.nii.gz"


def test_slices_are_compared_by_whether_they_were_attacked(tmp_path, monkeypatch):
    yes, no, blank = "accepted", "rejected", "blank"
    decisions = {"clean": [yes, yes, no, yes, yes, blank], "attacked": [yes, no, yes, no, yes, blank]}
    tissue = _results(tmp_path, decisions)
    alone = torch.full((4, 6, 5), 2)
    monkeypatch.setattr(demo, "_segment_alone", lambda bundle, paths: [alone for _ in paths])
    rows = demo._compare(tmp_path, tmp_path, tissue)
    assert [row.name.strip() for row in rows] == [
        "clean",
        "the slices attacked below",
        "attacked",
        "the other slices of that copy",
    ]
    # Slices 1 and 2 are attacked; of five that are not blank.
    assert [(row.accepted, row.rejected) for row in rows] == [(4, 1), (1, 1), (1, 1), (2, 1)]
    assert all(row.guarded[0] == 1.0 for row in rows)
    assert all(row.alone[0] == 0.0 for row in rows)


def test_an_attacked_copy_that_cannot_be_moved_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"attacked.nii.gz: expected to move .*clean_attacked"):
        demo._move(tmp_path / "clean_attacked.nii.gz", tmp_path / "attacked.nii.gz")


def test_steps_are_told_in_order(tmp_path, monkeypatch, capsys):
    bundle, out = _bundle(tmp_path / "bundle"), tmp_path / "out"
    calls = []

    def run(bundle, names, dataset, output, *options):
        calls.append(names)
        if "attack" in names:
            output.mkdir(parents=True)
            (output / "clean_attacked.nii.gz").write_text("attacked")

    def make_sample(folder, clean):
        clean.parent.mkdir(parents=True)
        clean.write_text("clean")
        return folder / "tissue.nii.gz"

    monkeypatch.setattr(demo, "_run_bundle", run)
    monkeypatch.setattr(demo, "_make_sample", make_sample)
    monkeypatch.setattr(demo, "_compare", lambda *_: [Row("clean", 5, 0, (0.9, 0.8), (0.9, 0.8))])
    demo.main(["--output_dir", str(out), "--bundle_root", str(bundle)])
    shown = capsys.readouterr().out
    assert calls == [["inference", "attack"], ["inference", "combined"]]
    assert [line[:5] for line in shown.splitlines() if line.startswith("[")] == [f"[{n}/4]" for n in (1, 2, 3, 4)]
    assert (out / "input" / "attacked.nii.gz").read_text() == "attacked"
    assert str(out / "output" / "attacked_report.html") in shown
    assert "5 (100%)" in shown
