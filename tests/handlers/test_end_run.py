import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import BatchError, CalibrationError, InputError, OutputError
from monai_advdefense.handlers import end_run
from monai_advdefense.handlers.end_run import EndRun
from monai_advdefense.runs.group_report import GroupReport
from monai_advdefense.runs.manifest import Manifest
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog


def _log(attempted, *failures):
    log = RunLog()
    log.attempted.extend(f"{number}.nii" for number in range(attempted))
    log.failures.extend(failures)
    return log


def _engine(log, step=lambda engine, batch: None, group_report=None):
    engine = Engine(step)
    EndRun(log, group_report).attach(engine)
    return engine


def test_a_run_without_failures_ends_normally(capsys):
    _engine(_log(3)).run([0])
    assert capsys.readouterr().out == "3 of 3 volumes written, 0 failed\n"


def test_failed_volumes_are_listed_and_the_run_ends_with_an_error(capsys):
    engine = _engine(_log(5, ("a.nii", "a.nii: why"), ("b.nii", "b.nii: why not"), ("b.nii", "b.nii: no result")))
    with pytest.raises(InputError, match=r"^b.nii: no result \(2 of 5 volumes failed\)$"):
        engine.run([0])
    printed = capsys.readouterr()
    assert printed.out == "3 of 5 volumes written, 2 failed\n"
    assert [line.strip() for line in printed.err.splitlines()] == [
        "failed volumes:",
        "a.nii: why",
        "b.nii: why not",
        "b.nii: no result",
    ]


@pytest.mark.parametrize("event", [Events.STARTED, Events.ITERATION_COMPLETED])
def test_what_failed_before_bad_input_ended_the_run_is_listed(event, capsys):
    engine = _engine(_log(2, ("a.nii", "a.nii: why"), ("b.nii", "b.nii: why not")))

    @engine.on(event)
    def fail(engine):
        raise OutputError("out: expected x")

    with pytest.raises(OutputError, match="out: expected x"):
        engine.run([0])
    assert "  a.nii: why\n  b.nii: why not\n" in capsys.readouterr().err


@pytest.mark.parametrize("error", [CalibrationError("a: expected b"), ZeroDivisionError("a"), KeyboardInterrupt()])
def test_an_error_passes(error):
    def step(engine, batch):
        raise error

    with pytest.raises(type(error)):
        _engine(_log(1), step).run([0])


def test_a_missing_folder_ends_an_evaluator(tmp_path):
    dataset = VolumeDataset(tmp_path / "nowhere", lambda item: item, slice_size=(8, 8), slice_dim=1)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=torch.nn.Identity(),
        val_handlers=[EndRun(dataset.run_log)],
    )
    with pytest.raises(InputError, match=f"^{tmp_path / 'nowhere'}: expected a file or a folder of inputs"):
        evaluator.run()


def test_an_evaluator_without_any_usable_volume_ends_with_an_error(tmp_path, capsys):
    (tmp_path / "a.nii").write_text("no volume")
    dataset = VolumeDataset(tmp_path, lambda item: item, slice_size=(8, 8), slice_dim=1)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=torch.nn.Identity(),
        val_handlers=[EndRun(dataset.run_log)],
    )
    with pytest.raises(InputError, match=r"a.nii: expected .*\(1 of 1 volumes failed\)$"):
        evaluator.run()
    assert capsys.readouterr().out == "0 of 1 volumes written, 1 failed\n"


@pytest.fixture
def report(tmp_path):
    """The report about a run whose only volume failed, and a page of an earlier run."""
    log = RunLog()
    log.attempt(str(tmp_path / "a.nii"))
    log.fail(str(tmp_path / "a.nii"), "a.nii: why")
    (tmp_path / "report.html").write_text("older")
    return GroupReport(Outputs(tmp_path, tmp_path), log)


def test_the_group_report_is_written_before_a_failure_ends_the_run(report):
    with pytest.raises(InputError, match="a.nii: why"):
        _engine(report.run_log, group_report=report).run([0])
    assert "a.nii,failed" in report.table.read_text()
    assert "why" in report.page.read_text()


def test_an_older_report_does_not_outlive_the_first_volume(report):
    def step(engine, batch):
        assert not report.page.exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _engine(report.run_log, step, report).run([0])
    assert not report.page.exists()


def test_a_run_that_cannot_begin_leaves_the_older_report(report):
    class Missing:
        def __iter__(self):
            raise OSError("no folder")

        def __len__(self):
            return 1

    with pytest.raises(OSError, match="no folder"):
        _engine(report.run_log, group_report=report).run(Missing())
    assert report.page.read_text() == "older"


def test_other_processes_leave_the_last_word_to_the_first(report, monkeypatch, capsys):
    monkeypatch.setattr(end_run.idist, "get_rank", lambda: 1)
    capsys.readouterr()
    _engine(report.run_log, group_report=report).run([0])
    assert not report.page.exists()
    assert capsys.readouterr().out == ""


class _Alarm:
    """A stop rule that every run breaks."""

    def __init__(self, fail):
        self.fail = fail

    def arguments(self):
        return {"fail": self.fail}

    def compare(self, verdicts):
        return None

    def broken_by(self, verdicts):
        assert verdicts == {"failed": 1}
        return BatchError("run: expected few, found many: look")


def _end(log, report, fail, manifest=None):
    engine = Engine(lambda engine, batch: None)
    EndRun(log, report, stop_rule=_Alarm(fail), manifest=manifest).attach(engine)
    engine.run([0])


@pytest.mark.parametrize("fail", [False, True])
def test_a_volume_that_failed_says_more_than_the_stop_rule(report, capsys, fail):
    with pytest.raises(InputError, match="a.nii: why"):
        _end(report.run_log, report, fail)
    assert "warning: run: expected few, found many: look\n" in capsys.readouterr().err


def test_the_stop_rule_ends_a_run_only_if_asked(report, capsys, monkeypatch):
    monkeypatch.setattr(report.run_log, "conclude", lambda: print("1 of 1 volumes written"))
    _end(report.run_log, report, fail=False)
    with pytest.raises(BatchError, match="found many") as raised:
        _end(report.run_log, report, fail=True)
    assert raised.value.exit_code == 3
    printed = capsys.readouterr()
    assert printed.err.count("warning: run: expected few") == 2
    assert printed.out.count("volumes written") == 2
    assert report.page.exists()


def test_a_shard_neither_reports_nor_compares(report, tmp_path):
    with pytest.raises(InputError, match="a.nii: why"):
        _end(report.run_log, report, fail=True, manifest=Manifest(report.outputs, shard="1/2"))
    assert not report.page.exists()
    assert '"ended": "1/2"' in (tmp_path / "manifest_shard1of2.jsonl").read_text()
