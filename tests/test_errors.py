import subprocess
import sys

import pytest
from torch.utils.data import DataLoader, Dataset

from monai_advdefense.errors import AdvDefenseError, CalibrationError, InputError, OutputError, exit_on_error, own_error


@exit_on_error
def _fail(error):
    """Docstring."""
    raise error


@pytest.mark.parametrize(
    ("kind", "builtin"), [(InputError, ValueError), (CalibrationError, ValueError), (OutputError, OSError)]
)
def test_errors_are_one_tree_and_the_builtin_kind(kind, builtin):
    assert issubclass(kind, AdvDefenseError)
    assert issubclass(kind, builtin)
    assert str(kind("a: expected b, found c: do d")) == "a: expected b, found c: do d"


@pytest.mark.parametrize("kind", [AdvDefenseError, InputError, CalibrationError, OutputError])
def test_own_errors_become_code_2_and_one_line(capsys, kind):
    with pytest.raises(SystemExit) as stop:
        _fail(kind("file: expected b, found c: do d"))
    assert stop.value.code == 2
    assert stop.value.__suppress_context__
    captured = capsys.readouterr()
    assert captured.err == "error: file: expected b, found c: do d\n"
    assert captured.out == ""


@pytest.mark.parametrize("error", [ValueError("bug"), OSError("bug"), KeyboardInterrupt()])
def test_other_errors_pass_unchanged(capsys, error):
    with pytest.raises(type(error)) as caught:
        _fail(error)
    assert caught.value is error
    assert capsys.readouterr().err == ""


def test_wrapped_function_keeps_its_name_arguments_and_result():
    @exit_on_error
    def add(one, *, other):
        """Sum."""
        return one + other

    assert add(1, other=2) == 3
    assert (add.__name__, add.__doc__) == ("add", "Sum.")


def test_process_ends_with_code_2_and_no_traceback():
    code = (
        "from monai_advdefense.errors import InputError, exit_on_error\n"
        "@exit_on_error\n"
        "def fail(): raise InputError('a: expected b')\n"
        "fail()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (2, "error: a: expected b\n", "")


def test_an_error_of_this_package_is_found_behind_what_wraps_it():
    error = InputError("a: expected b")
    outer = RuntimeError("Failed to instantiate")
    outer.__cause__ = RuntimeError("Failed to evaluate")
    assert own_error(outer) is None
    outer.__cause__.__cause__ = error
    assert own_error(outer) is error
    assert own_error(error) is error


class _Broken(Dataset):
    def __init__(self, wrapped):
        self.wrapped = wrapped

    def __len__(self):
        return 1

    def __getitem__(self, index):
        try:
            raise OutputError("a.nii: expected b, found c: do d")
        except OutputError as error:
            if self.wrapped:
                raise RuntimeError("applying transform") from error
            raise


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_error_in_a_worker_process_is_found_in_its_text(wrapped):
    with pytest.raises((OSError, RuntimeError)) as caught:
        next(iter(DataLoader(_Broken(wrapped), num_workers=1)))
    assert "Traceback" in str(caught.value)
    found = own_error(caught.value)
    assert type(found) is OutputError
    assert str(found) == "a.nii: expected b, found c: do d"
