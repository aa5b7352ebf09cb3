from __future__ import annotations

import csv
import re
from urllib.parse import unquote

import pytest
import torch
from ignite.engine import Engine

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import OutputError
from monai_advdefense.handlers.group_report_writer import GroupReportWriter
from monai_advdefense.handlers.output_path import output_path
from monai_advdefense.report import case_from_scores, case_to_json


@pytest.fixture
def run(tmp_path):
    """Inputs, and what a run has left of them: ``b`` lies in a folder of its own."""
    dataset = VolumeDataset(tmp_path / "in", dict)
    for name, scores in (("a.nii.gz", [0.5, 0.6]), ("site 1/b#.nii.gz", [0.5, 3.0])):
        source = tmp_path / "in" / name
        source.parent.mkdir(parents=True, exist_ok=True)
        source.touch()
        dataset.attempted.append(str(source))
        values = torch.tensor(scores)
        seg, record, page = (
            output_path(source, tmp_path / "in", tmp_path / "out", *kind)
            for kind in (("seg", ".nii.gz"), ("scores", ".json"), ("report", ".html"))
        )
        case = case_from_scores(
            values,
            values <= 1,
            values < 0,
            threshold=1.0,
            positions=[(0.0, 0), (1.0, 1)],
            input_path=str(source),
            segmentation_path=str(seg),
        )
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(case_to_json(case))
        seg.touch()
        page.touch()
    return dataset


def _complete(tmp_path, dataset, step=lambda engine, batch: None):
    engine = Engine(step)
    GroupReportWriter(tmp_path / "out", tmp_path / "in", dataset).attach(engine)
    engine.run([0])


def _rows(tmp_path):
    with (tmp_path / "out" / "report.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_report_tells_what_the_files_of_each_volume_tell(run, tmp_path):
    _complete(tmp_path, run)
    rows = _rows(tmp_path)
    assert [(row["input"], row["verdict"], row["rejected"]) for row in rows] == [
        ("site 1/b#.nii.gz", "rejected", "1"),
        ("a.nii.gz", "accepted", "0"),
    ]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    links = [unquote(link) for link in re.findall('href="([^#"][^"]*)"', page)]
    assert len(links) == 5
    for link in [*links, *(row[key] for row in rows for key in ("report", "segmentation"))]:
        assert (tmp_path / "out" / link).is_file()
    assert not run.failures


def test_failed_volumes_are_in_it_with_their_reason_and_without_the_results_of_an_earlier_run(run, tmp_path):
    path = run.attempted[0]
    run.fail(path, f"{path}: expected a 3-D volume, found 4 dimensions: extract one")
    run.fail(path, f"{path}: no result")
    _complete(tmp_path, run)
    first = _rows(tmp_path)[0]
    assert first["input"] == "a.nii.gz"
    assert first["reason"] == "expected a 3-D volume, found 4 dimensions: extract one; no result"
    assert (first["verdict"], first["report"], first["segmentation"]) == ("failed", "", "")


def test_inputs_of_another_run_are_not_in_it(run, tmp_path):
    run.attempted.pop(0)
    _complete(tmp_path, run)
    assert [row["input"] for row in _rows(tmp_path)] == ["site 1/b#.nii.gz"]


@pytest.mark.parametrize("damage", ["unlink", "spoil"])
def test_scores_that_cannot_be_read_are_a_failure(run, tmp_path, damage, capsys):
    record = tmp_path / "out" / "a_scores.json"
    record.unlink() if damage == "unlink" else record.write_text("{}")
    _complete(tmp_path, run)
    ((path, message),) = run.failures
    assert path == run.attempted[0]
    assert message.startswith(f"{path}: not in the report: {record}: ")
    assert capsys.readouterr().err == f"failed: {message}\n"
    assert [row["verdict"] for row in _rows(tmp_path)] == ["failed", "rejected"]


def test_one_input_file_has_its_name(run, tmp_path):
    source = tmp_path / "in" / "a.nii.gz"
    run.attempted[:] = [str(source)]
    GroupReportWriter(tmp_path / "out", source, run)(Engine(lambda engine, batch: None))
    (row,) = _rows(tmp_path)
    assert (row["input"], row["verdict"], row["report"]) == ("a.nii.gz", "accepted", "a_report.html")


def test_items_without_a_path_are_named_as_they_are(tmp_path):
    dataset = VolumeDataset([], dict)
    dataset.attempted.append("None")
    dataset.fail("None", "data: expected one path")
    (tmp_path / "out").mkdir()
    _complete(tmp_path, dataset)
    (row,) = _rows(tmp_path)
    assert (row["input"], row["reason"]) == ("None", "data: expected one path")


def test_an_older_report_does_not_outlive_the_first_volume(run, tmp_path):
    page = tmp_path / "out" / "report.html"
    page.write_text("older")

    def step(engine, batch):
        assert not page.exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _complete(tmp_path, run, step=step)
    assert not page.exists()


def test_a_run_that_cannot_begin_leaves_the_older_report(run, tmp_path):
    class Missing:
        def __iter__(self):
            raise OSError("no folder")

        def __len__(self):
            return 1

    (tmp_path / "out" / "report.html").write_text("older")
    engine = Engine(lambda engine, batch: None)
    GroupReportWriter(tmp_path / "out", tmp_path / "in", run).attach(engine)
    with pytest.raises(OSError, match="no folder"):
        engine.run(Missing())
    assert (tmp_path / "out" / "report.html").read_text() == "older"


def test_other_processes_leave_the_report_to_the_first(run, tmp_path):
    run.rank, run.world_size = 1, 2
    _complete(tmp_path, run)
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_report_that_cannot_be_written_is_an_error_of_this_package(run, tmp_path):
    (tmp_path / "out" / "report.html").mkdir()
    writer = GroupReportWriter(tmp_path / "out", tmp_path / "in", run)
    for event in (writer.remove, writer):
        with pytest.raises(OutputError, match=r"report.html: expected to write here, found Is a directory"):
            event(Engine(lambda engine, batch: None))
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
