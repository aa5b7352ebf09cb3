from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor

from monai_advdefense.errors import OutputError
from monai_advdefense.handlers.each_volume import EachVolume
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog


class _Writer(EachVolume):
    missing = "no words"

    def write(self, source, output):
        if "broken" in source:
            raise OutputError(f"{source}: expected words, found none: write some")
        if "bug" in source:
            raise KeyError(source)
        return f"{source} ({output['word']})"


@pytest.fixture
def run(tmp_path):
    """Runs the writer over volumes of some names, and returns what was logged."""
    log = RunLog()

    def run(*names):
        image = [MetaTensor(torch.zeros(1, 1, 1, 1), meta={"filename_or_obj": name}) for name in names]
        engine = Engine(lambda *_: [{"image": each, "word": "w"} for each in image])
        engine.logger = _Logger()
        _Writer(Outputs(tmp_path, tmp_path / "out"), log, "image").attach(engine)
        engine.run([0])
        return engine.logger.lines

    run.log, run.folder = log, tmp_path / "out"
    return run


class _Logger:
    def __init__(self):
        self.lines = []

    def info(self, text, *values):
        self.lines.append(text % values)

    def __getattr__(self, name):
        return lambda *_, **__: None


def test_each_volume_is_written_into_a_folder_that_is_there(run):
    lines = [line for line in run("a.nii", "b.nii") if line.startswith("wrote")]
    assert lines == ["wrote a.nii (w)", "wrote b.nii (w)"]
    assert run.folder.is_dir()
    assert run.log.failures == []


def test_a_volume_that_fails_is_recorded_and_the_next_is_written(run):
    assert "wrote b.nii (w)" in run("broken.nii", "b.nii")
    [(source, message)] = run.log.failures
    assert source == "broken.nii"
    assert message == "broken.nii: no words: broken.nii: expected words, found none: write some"


def test_a_mistake_of_ours_ends_the_run(run):
    with pytest.raises(KeyError):
        run("bug.nii")


def test_it_runs_when_an_iteration_has_ended(tmp_path):
    engine = Engine(lambda *_: [])
    writer = _Writer(Outputs(tmp_path, tmp_path / "out"), RunLog(), "image")
    writer.attach(engine)
    assert engine.has_event_handler(writer, Events.ITERATION_COMPLETED)
