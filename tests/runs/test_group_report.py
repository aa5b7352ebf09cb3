from __future__ import annotations

import csv
import re
from urllib.parse import unquote

import pytest
import torch

from monai_advdefense.errors import OutputError
from monai_advdefense.report import case_from_scores, case_to_json
from monai_advdefense.runs.group_report import GroupReport
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog


@pytest.fixture
def run(tmp_path):
    """Inputs, and what a run has left of them: ``b`` lies in a folder of its own."""
    log, outputs = RunLog(), Outputs(tmp_path / "in", tmp_path / "out")
    for name, scores in (("a.nii.gz", [0.5, 0.6]), ("site 1/b#.nii.gz", [0.5, 3.0])):
        source = tmp_path / "in" / name
        source.parent.mkdir(parents=True, exist_ok=True)
        source.touch()
        log.attempt(str(source))
        values = torch.tensor(scores)
        seg, record, page = (
            outputs.path(source, *kind) for kind in (("seg", ".nii.gz"), ("scores", ".json"), ("report", ".html"))
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
    return log


def _write(tmp_path, log):
    GroupReport(Outputs(tmp_path / "in", tmp_path / "out"), log).write()


def _rows(tmp_path):
    with (tmp_path / "out" / "report.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_report_tells_what_the_files_of_each_volume_tell(run, tmp_path):
    _write(tmp_path, run)
    rows = _rows(tmp_path)
    assert [(row["input"], row["verdict"], row["rejected"]) for row in rows] == [
        ("site 1/b#.nii.gz", "review", "1"),
        ("a.nii.gz", "clean", "0"),
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
    _write(tmp_path, run)
    first = _rows(tmp_path)[0]
    assert first["input"] == "a.nii.gz"
    assert first["reason"] == "expected a 3-D volume, found 4 dimensions: extract one; no result"
    assert (first["verdict"], first["report"], first["segmentation"]) == ("failed", "", "")


def test_inputs_of_another_run_are_not_in_it(run, tmp_path):
    run.attempted.pop(0)
    _write(tmp_path, run)
    assert [row["input"] for row in _rows(tmp_path)] == ["site 1/b#.nii.gz"]


@pytest.mark.parametrize("damage", [None, b"{}", b"\xff"])
def test_scores_that_cannot_be_read_are_a_failure(run, tmp_path, damage, capsys):
    record = tmp_path / "out" / "a_scores.json"
    record.unlink() if damage is None else record.write_bytes(damage)
    _write(tmp_path, run)
    ((path, message),) = run.failures
    assert path == run.attempted[0]
    assert message.startswith(f"{path}: not in the report: {record}: expected the record of a volume's scores, found ")
    assert message.endswith(": run the volume again")
    assert capsys.readouterr().err == f"failed: {message}\n"
    assert [row["verdict"] for row in _rows(tmp_path)] == ["failed", "review"]


def test_one_input_file_has_its_name(run, tmp_path):
    source = tmp_path / "in" / "a.nii.gz"
    run.attempted[:] = [str(source)]
    GroupReport(Outputs(source, tmp_path / "out"), run).write()
    (row,) = _rows(tmp_path)
    assert (row["input"], row["verdict"], row["report"]) == ("a.nii.gz", "clean", "a_report.html")


def test_items_without_a_path_are_named_as_they_are(tmp_path):
    log = RunLog()
    log.attempt("None")
    log.fail("None", "data: expected one path")
    _write(tmp_path, log)
    (row,) = _rows(tmp_path)
    assert (row["input"], row["reason"]) == ("None", "data: expected one path")


def test_a_report_that_cannot_be_written_is_an_error_of_this_package(run, tmp_path):
    (tmp_path / "out" / "report.html").mkdir()
    report = GroupReport(Outputs(tmp_path / "in", tmp_path / "out"), run)
    for step in (report.remove, report.write):
        with pytest.raises(OutputError, match=r"report.html: expected to write here, found Is a directory"):
            step()
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
