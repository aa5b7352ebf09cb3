import tempfile

import pytest
from ignite.engine import Engine

from monai_advdefense.errors import OutputError
from monai_advdefense.handlers import OutputDir


def _run(folder):
    computed = []
    engine = Engine(lambda engine, batch: computed.append(batch))
    OutputDir(folder).attach(engine)
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
