import os
import tempfile

import pytest
from ignite.engine import Engine

from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.runs.outputs import Outputs


def _path(source, dataset_dir, output_dir, postfix="seg", suffix=".nii.gz"):
    return Outputs(dataset_dir, output_dir).path(source, postfix, suffix)


def test_paths_mirror_those_of_the_inputs(tmp_path):
    def named(source, *arguments):
        return _path(tmp_path / source, tmp_path, "/out", *arguments).as_posix()

    assert named("a.nii") == named("a.nii.gz") == "/out/a_seg.nii.gz"
    assert named("s1/t1.nii.gz") == "/out/s1/t1_seg.nii.gz"
    assert named("s2/t1.nii.gz", "scores", ".csv") == "/out/s2/t1_scores.csv"
    assert named("T1.v2.NII.GZ") == "/out/T1.v2_seg.nii.gz"
    assert named("ü b;$(x).nii") == "/out/ü b;$(x)_seg.nii.gz"
    assert _path("/data/a.nii", "/data/a.nii", "/out").as_posix() == "/out/a_seg.nii.gz"
    assert _path("/data/x/../a.nii", "/data/y/..", "/out").as_posix() == "/out/a_seg.nii.gz"


def test_equal_names_with_other_endings_do_not_meet(tmp_path):
    names = ["a.nii", "a.nii.gz", "A.nii", "a.NII"]
    for name in names:
        (tmp_path / name).touch()
    for suffix in (".nii.gz", ".csv"):
        targets = {_path(tmp_path / name, tmp_path, "/out", "x", suffix) for name in names}
        assert len(targets) == len(names)


@pytest.mark.parametrize(
    "names",
    [
        ["a.NII", "a.nii"],
        ["a.Nii", "a.NII"],
        ["a.NII.GZ", "a.nii.GZ"],
        ["a.nii", "a.NII", "a.nii.gz", "a.nii.GZ", "a.nii.nii", "a.nii.nii.gz", "a.NII.nii"],
    ],
    ids=str,
)
def test_no_two_inputs_of_a_folder_share_a_result(names, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    targets = {_path(tmp_path / name, tmp_path, "/out") for name in names}
    assert len(targets) == len(names)


@pytest.mark.parametrize(
    ("names", "short"),
    [(["a.nii", "a.nii.gz"], "a.nii.gz"), (["a.NII", "a.nii"], "a.nii"), (["a.Nii", "a.NII"], "a.NII")],
)
def test_one_of_them_has_the_short_name(names, short, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    for name in names:
        expected = "a_seg.nii.gz" if name == short else f"{name}_seg.nii.gz"
        assert _path(tmp_path / name, tmp_path, "/out").name == expected


def test_an_input_by_way_of_a_link_is_inside(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.nii").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert _path(tmp_path / "real" / "a.nii", tmp_path / "link", "/out").as_posix() == "/out/a_seg.nii.gz"


def test_an_input_elsewhere_is_refused():
    with pytest.raises(InputError, match="/other/a.nii: expected an input below /data"):
        _path("/other/a.nii", "/data", "/out")


@pytest.mark.parametrize(("dataset", "out"), [("/data", "/data"), ("/data/a.nii", "/data"), ("/data", "/data/x/..")])
def test_results_do_not_mix_with_inputs(dataset, out):
    with pytest.raises(InputError, match="/data/a_seg.nii.gz: expected results away from the inputs"):
        _path("/data/a.nii", dataset, out)


@pytest.mark.parametrize(("dataset", "out"), [("real", "link"), ("link", "real")])
def test_a_link_does_not_hide_that_results_would_lie_beside_the_inputs(dataset, out, tmp_path):
    (tmp_path / "real" / "site").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    source = tmp_path / dataset / "site" / "a.nii"
    source.touch()
    with pytest.raises(InputError, match="expected results away from the inputs"):
        _path(source, tmp_path / dataset, tmp_path / out)


def test_two_inputs_do_not_share_a_result_and_a_later_run_replaces_it(tmp_path):
    outputs = Outputs("/data", tmp_path)
    path = outputs.claim("/data/a.nii", "seg", ".nii")
    assert outputs.claim("/data/a.nii", "scores", ".csv") != path
    with pytest.raises(OutputError, match=f"{path}: expected one input per result, found two: rename one"):
        outputs.claim("/data/a.nii.gz", "seg", ".nii")
    outputs.prepare()
    assert outputs.claim("/data/a.nii", "seg", ".nii") == path


def test_what_an_older_run_left_is_removed(tmp_path):
    (tmp_path / "a.csv").touch()
    (tmp_path / "folder").mkdir()
    outputs = Outputs("/data", tmp_path)
    outputs.remove(tmp_path / "a.csv", tmp_path / "none.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(OutputError, match="folder: expected to write here, found Is a directory"):
        outputs.remove(tmp_path / "folder")


@pytest.mark.parametrize(
    ("source", "name"),
    [("/data/site/a.nii", "site/a.nii"), ("/other/a.nii", "/other/a.nii"), ("/data/b\n.nii", "b\\n.nii")],
)
def test_an_input_is_called_by_its_path_below_the_folder(source, name):
    assert Outputs("/data", "/out").name(source) == name
    assert Outputs("/data/a.nii", "/out").name("/data/a.nii") == "a.nii"
    assert Outputs("/data", "/out").below("/out/site/a_report.html") == "site/a_report.html"


def _run(folder):
    computed = []
    engine = Engine(lambda engine, batch: computed.append(batch))
    for _ in range(2):
        Outputs("/data", folder).attach(engine)
    try:
        engine.run([0])
    finally:
        assert not computed or folder.is_dir()
    return computed


def test_the_folder_is_made_and_left_empty(tmp_path):
    assert _run(tmp_path / "new" / "out") == [0]
    assert list((tmp_path / "new" / "out").iterdir()) == []


def _stopped(folder):
    with pytest.raises(OutputError) as error:
        _run(folder)
    return str(error.value)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_named_as_the_argument(tmp_path, name):
    (tmp_path / "file").touch()
    line = _stopped(tmp_path / name)
    assert line.startswith("output_dir: expected a folder that can be written, found ")
    assert f"for {tmp_path / name}: choose another folder" in line


def test_a_folder_that_cannot_be_written_is_named_as_the_argument(tmp_path, monkeypatch):
    def refuse(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    line = _stopped(tmp_path)
    assert f"output_dir: expected a folder that can be written, found Read-only file system for {tmp_path}: " in line


def test_results_are_those_that_have_been_written(tmp_path):
    outputs, source = Outputs(tmp_path / "in", tmp_path / "out"), tmp_path / "in" / "a.nii"
    written, _ = (outputs.path(source, postfix, ".txt") for postfix in ("seg", "report"))
    written.parent.mkdir()
    written.write_text("a result")
    assert outputs.results(source) == [written]


def test_a_folder_is_listed_once_and_anew_when_it_has_changed(tmp_path, monkeypatch):
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.nii").touch()
    os.utime(folder, (1e9, 1e9))
    outputs = Outputs(folder, tmp_path / "out")
    for postfix in ("seg", "scores", "report"):
        assert outputs.path(folder / "a.nii", postfix, ".x").name == f"a_{postfix}.x"
    assert listed == [folder]
    (folder / "a.nii.gz").touch()
    for _ in range(2):
        assert outputs.path(folder / "a.nii", "seg", ".x").name == "a.nii_seg.x"
    # What has just changed may change again within the same tick of the clock.
    assert len(listed) == 3
