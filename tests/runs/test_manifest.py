from __future__ import annotations

import json

import pytest

from monai_advdefense.errors import OutputError
from monai_advdefense.runs import manifest as module
from monai_advdefense.runs.manifest import Manifest, read_manifests
from monai_advdefense.runs.outputs import Outputs


@pytest.fixture
def folder(tmp_path):
    """Inputs ``a`` and ``b``, and weights with the record of their calibration."""
    for name in ("in/a.nii", "in/site/b.nii", "model.pt", "model.calibration.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def _manifest(folder, **arguments):
    arguments = {"weights": [folder / "model.pt"], "config": {"features": [1, 2], "device": "cpu"}, **arguments}
    manifest = Manifest(Outputs(folder / "in", folder / "out"), **arguments)
    manifest.read()
    return manifest


def _do(manifest, source):
    """What a run does with an input."""
    assert not manifest.is_done(str(source))
    for postfix in ("seg", "report"):
        path = manifest.outputs.path(str(source), postfix, ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{postfix} of {source.read_text()}")
    manifest.mark_done(str(source))


@pytest.fixture
def done(folder):
    """The inputs, after a run that has done ``b``."""
    _do(_manifest(folder), folder / "in/site/b.nii")
    return folder


def _is_done(folder, **arguments):
    return _manifest(folder, **arguments).is_done(str(folder / "in/site/b.nii"))


def test_a_volume_whose_results_are_there_is_done_and_no_other(done):
    assert _is_done(done)
    assert not _manifest(done).is_done(str(done / "in/a.nii"))
    (line,) = [line for _, line in read_manifests(done / "out")]
    assert line["input"] == "site/b.nii"
    assert sorted(line["results"]) == ["site/b_report.txt", "site/b_seg.txt"]


def test_both_folders_may_move(done, tmp_path):
    for name in ("in", "out"):
        (done / name).rename(done / f"moved_{name}")
    manifest = Manifest(
        Outputs(done / "moved_in", done / "moved_out"), weights=[done / "model.pt"], config={"features": [1, 2]}
    )
    manifest.read()
    assert manifest.is_done(str(done / "moved_in/site/b.nii"))


@pytest.mark.parametrize(
    "name", ["in/site/b.nii", "model.pt", "model.calibration.json", "out/site/b_seg.txt", "out/site/b_report.txt"]
)
@pytest.mark.parametrize("change", ["other", "missing"])
def test_another_input_weight_or_result_makes_it_anew(done, name, change):
    if change == "other":
        (done / name).write_text("other")
    else:
        (done / name).unlink()
    assert not _is_done(done)


def test_another_configuration_makes_it_anew_but_for_what_changes_no_result(done):
    assert not _is_done(done, config={"features": [1, 3], "device": "cpu"})
    assert not _is_done(done, config={"features": [1, 2], "slice_dim": 0})
    listed = {"features": [1, 2], "dataset": {"data": ["a.nii"], "slice_dim": 1}}
    _do(_manifest(done, config=listed), done / "in/site/b.nii")
    assert _is_done(done, config={**listed, "dataset": {"data": "@dataset_dir", "slice_dim": 1}})
    assert not _is_done(done, config={**listed, "dataset": {"data": ["a.nii"], "slice_dim": 0}})
    assert _is_done(done, config={"device": "cuda", "output_dir": "elsewhere", "shard": "2/4", "features": [1, 2]})


def test_another_version_makes_it_anew(done, monkeypatch):
    monkeypatch.setattr(module, "version", lambda name: f"{name} 99")
    assert not _is_done(done)


def test_nothing_is_done_without_resume_but_all_is_marked(done):
    _do(_manifest(done, resume=False), done / "in/site/b.nii")
    assert _is_done(done)


def test_a_line_that_was_cut_off_counts_for_nothing_and_spoils_no_other(done):
    path = done / "out/manifest.jsonl"
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 9):
        path.write_bytes(whole[:length])
        assert not _is_done(done)
    path.write_bytes(whole + whole[:50])
    assert _is_done(done)
    _do(_manifest(done), done / "in/a.nii")
    assert _is_done(done)
    assert _manifest(done).is_done(str(done / "in/a.nii"))
    assert [line["input"] for _, line in read_manifests(done / "out")] == ["site/b.nii", "a.nii"]


def test_shards_write_a_file_each_and_know_of_each_other(done):
    _do(_manifest(done, shard="1/2"), done / "in/a.nii")
    assert {path.name for path in (done / "out").glob("*.jsonl")} == {"manifest.jsonl", "manifest_shard1of2.jsonl"}
    assert _is_done(done, shard="2/2")
    assert _manifest(done, shard="2/2").is_done(str(done / "in/a.nii"))


def test_processes_of_a_group_write_a_file_each(done, monkeypatch):
    monkeypatch.setattr(module.idist, "get_rank", lambda: 3)
    assert _manifest(done).path.name == "manifest_rank3.jsonl"
    assert _manifest(done, shard="1/2").path.name == "manifest_shard1of2_rank3.jsonl"


def test_an_input_may_be_a_folder(folder):
    series = folder / "in/series"
    series.mkdir()
    (series / "1.dcm").write_text("first slice")
    manifest = _manifest(folder)
    assert not manifest.is_done(str(series))
    result = manifest.outputs.path(str(series), "seg", ".txt")
    result.parent.mkdir()
    result.write_text("result")
    manifest.mark_done(str(series))
    assert _manifest(folder).is_done(str(series))
    (series / "1.dcm").rename(series / "2.dcm")
    assert not _manifest(folder).is_done(str(series))


def test_a_line_that_cannot_be_written_says_so(folder):
    (folder / "out").write_text("no folder")
    with pytest.raises(OutputError, match=r"manifest.jsonl: expected to write here, found .*: check free space"):
        _manifest(folder).mark_done(str(folder / "in/a.nii"))


def test_what_json_cannot_hold_counts_by_its_text(folder):
    _do(_manifest(folder, config={"path": folder}), folder / "in/site/b.nii")
    assert _is_done(folder, config={"path": folder})
    assert not _is_done(folder, config={"path": folder / "other"})
    json.dumps([line for _, line in read_manifests(folder / "out")])


def test_a_volume_that_left_no_result_is_not_done(folder):
    source = str(folder / "in/a.nii")
    _manifest(folder).mark_done(source)
    assert not _manifest(folder).is_done(source)
