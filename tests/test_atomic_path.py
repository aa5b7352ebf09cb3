import os

import pytest

from monai_advdefense.atomic_path import atomic_path, check_writable
from monai_advdefense.errors import InputError, OutputError


def _files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_atomic_file_appears_only_when_it_is_complete(tmp_path):
    target = tmp_path / "new" / "report.html"
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.parent == target.parent
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".html"
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert _files(tmp_path) == ["new/report.html"]


@pytest.mark.parametrize("error", [KeyError("defect"), OutputError("a.csv: one message"), InputError("a.nii: x")])
def test_an_error_in_the_block_passes_as_it_is_and_nothing_is_left(error, tmp_path):
    def fail():
        with atomic_path(tmp_path / "a.csv") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)) as raised:
        fail()
    assert raised.value is error
    assert _files(tmp_path) == []


@pytest.mark.parametrize("target", ["file/a.nii", "x" * 300 + ".nii"], ids=["file for a folder", "long name"])
def test_a_path_that_cannot_be_is_an_output_error(target, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="expected to write here"), atomic_path(tmp_path / target) as temporary:
        temporary.touch()


@pytest.mark.parametrize(
    ("name", "ending"), [("a.nii.gz", ".nii.gz"), ("A.NII.GZ", ".NII.GZ"), ("v1.2.npz", ".npz"), ("a", "")]
)
def test_the_temporary_file_has_the_ending_of_the_target(name, ending, tmp_path):
    with atomic_path(tmp_path / name) as temporary:
        assert temporary.name == f".{temporary.name[1:33]}{ending}"
        temporary.touch()


@pytest.mark.parametrize("fault", ["write", "rename"])
def test_an_older_file_stays_when_writing_fails(fault, tmp_path, monkeypatch):
    target = tmp_path / "model.pt"
    target.write_text("older")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    def write():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            if fault == "write":
                full()

    if fault == "rename":
        monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"model\.pt: expected to write here, found No space left on device: check"):
        write()
    assert target.read_text() == "older"
    assert _files(tmp_path) == ["model.pt"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "a.csv") as temporary:
            temporary.touch()
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o640


def test_what_can_be_written_is_told_beforehand_and_nothing_is_left(tmp_path):
    (tmp_path / "a.pt").write_text("old")
    check_writable(tmp_path / "a.pt")
    check_writable(tmp_path / "new" / "b.pt")
    assert _files(tmp_path) == ["a.pt"]
    with pytest.raises(OutputError, match="new: expected a file to write, found a folder: name a file in it"):
        check_writable(tmp_path / "new")
    with pytest.raises(OutputError, match=r"a.pt/c.pt: expected to write here, found (File exists|Not a directory)"):
        check_writable(tmp_path / "a.pt" / "c.pt")
