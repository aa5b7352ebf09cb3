import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import CalibrationError, OutputError
from monai_advdefense.handlers.failure_summary import FailureSummary


def _dataset(attempted, *failures):
    dataset = VolumeDataset([], lambda item: item)
    dataset.attempted.extend(f"{number}.nii" for number in range(attempted))
    dataset.failures.extend(failures)
    return dataset


def _engine(dataset, step=lambda engine, batch: None):
    engine = Engine(step)
    FailureSummary(dataset).attach(engine)
    return engine


def test_a_run_without_failures_ends_normally(capsys):
    _engine(_dataset(3)).run([0])
    assert capsys.readouterr().out == "3 of 3 volumes written, 0 failed\n"


def test_failed_volumes_are_listed_and_the_exit_code_is_2(capsys):
    engine = _engine(_dataset(5, ("a.nii", "a.nii: why"), ("b.nii", "b.nii: why not"), ("b.nii", "b.nii: no result")))
    with pytest.raises(SystemExit) as stop:
        engine.run([0])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "3 of 5 volumes written, 2 failed\n"
    assert [line.strip() for line in printed.err.splitlines()] == [
        "failed volumes:",
        "a.nii: why",
        "b.nii: why not",
        "b.nii: no result",
        "error: b.nii: no result (2 of 5 volumes failed)",
    ]


@pytest.mark.parametrize("error", [OutputError("out: expected x"), CalibrationError("model.pt: expected y")])
@pytest.mark.parametrize("event", [Events.STARTED, Events.ITERATION_COMPLETED, Events.COMPLETED])
def test_an_error_of_this_package_is_one_line_and_exit_code_2(error, event, capsys):
    engine = _engine(_dataset(1))

    @engine.on(event)
    def fail(engine):
        raise error

    with pytest.raises(SystemExit) as stop:
        engine.run([0])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {error}"


@pytest.mark.parametrize("error", [ZeroDivisionError("a defect"), KeyboardInterrupt()])
def test_any_other_error_passes(error):
    def step(engine, batch):
        raise error

    with pytest.raises(type(error)):
        _engine(_dataset(1), step).run([0])


def test_a_missing_folder_ends_an_evaluator_with_exit_code_2(tmp_path, capsys):
    dataset = VolumeDataset(tmp_path / "nowhere", lambda item: item)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=torch.nn.Identity(),
        val_handlers=[FailureSummary(dataset)],
    )
    with pytest.raises(SystemExit) as stop:
        evaluator.run()
    assert stop.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path / 'nowhere'}: expected a folder of NIfTI files")


def test_an_evaluator_without_any_usable_volume_ends_with_exit_code_2(tmp_path, capsys):
    (tmp_path / "a.nii").write_text("no volume")
    dataset = VolumeDataset(tmp_path, lambda item: item)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=torch.nn.Identity(),
        val_handlers=[FailureSummary(dataset)],
    )
    with pytest.raises(SystemExit) as stop:
        evaluator.run()
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "0 of 1 volumes written, 1 failed\n"
    assert "a.nii: expected " in printed.err.splitlines()[-1]
    assert printed.err.splitlines()[-1].endswith("(1 of 1 volumes failed)")
