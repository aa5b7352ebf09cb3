import json
import os
import subprocess
import sys

import pytest

from monai_advdefense import exit_code
from monai_advdefense.errors import InputError


def _run(folder, **config):
    """A bundle of a few expressions in a process of its own."""
    (folder / "config.json").write_text(json.dumps({"imports": ["$import monai_advdefense.exit_code"], **config}))
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--config_file", "config.json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_bad_input_ends_a_bundle_with_code_2_and_one_line(tmp_path):
    datalist = {"_target_": "monai_advdefense.data.malc2012_datalist", "dataset_dir": "nowhere", "split": "test"}
    done = _run(tmp_path, cases=datalist, run=["$print(@cases)"])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: nowhere/subjects.csv: expected this file")
    assert "Traceback" not in done.stderr


def test_a_defect_keeps_its_traceback(capfd):
    try:
        raise ZeroDivisionError("a defect")
    except ZeroDivisionError as error:
        exit_code.excepthook(type(error), error, error.__traceback__)
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_message_is_the_last_line(capfd, wrapped):
    error = InputError("a.nii: expected b, found c: do d")
    raised = RuntimeError("Failed to evaluate") if wrapped else error
    raised.__cause__ = error if wrapped else None
    with pytest.raises(SystemExit) as stop:
        exit_code.excepthook(type(raised), raised, None)
    assert stop.value.code == 2
    assert capfd.readouterr().err == "error: a.nii: expected b, found c: do d\n"
