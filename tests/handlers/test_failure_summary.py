import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import CalibrationError, InputError, OutputError
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


def test_failed_volumes_are_listed_and_the_run_ends_with_an_error(capsys):
    engine = _engine(_dataset(5, ("a.nii", "a.nii: why"), ("b.nii", "b.nii: why not"), ("b.nii", "b.nii: no result")))
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
    engine = _engine(_dataset(2, ("a.nii", "a.nii: why"), ("b.nii", "b.nii: why not")))

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
        _engine(_dataset(1), step).run([0])


def test_a_missing_folder_ends_an_evaluator(tmp_path):
    dataset = VolumeDataset(tmp_path / "nowhere", lambda item: item)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=torch.nn.Identity(),
        val_handlers=[FailureSummary(dataset)],
    )
    with pytest.raises(InputError, match=f"^{tmp_path / 'nowhere'}: expected a folder of NIfTI files"):
        evaluator.run()


def test_an_evaluator_without_any_usable_volume_ends_with_an_error(tmp_path, capsys):
    (tmp_path / "a.nii").write_text("no volume")
    dataset = VolumeDataset(tmp_path, lambda item: item)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1, num_workers=0),
        network=torch.nn.Identity(),
        val_handlers=[FailureSummary(dataset)],
    )
    with pytest.raises(InputError, match=r"a.nii: expected .*\(1 of 1 volumes failed\)$"):
        evaluator.run()
    assert capsys.readouterr().out == "0 of 1 volumes written, 1 failed\n"
