from __future__ import annotations

import hashlib
import subprocess

import pytest

from monai_advdefense.checksums import check_sum, stated_sum
from monai_advdefense.errors import InputError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  other.pt\n{hashlib.sha256(b'weights').hexdigest()}  model.pt\n")
    return path


def test_another_file_than_stated_is_refused(file):
    check_sum(file)
    file.write_bytes(b"Weights")
    with pytest.raises(InputError, match=f"^{file}: expected the checksum that SHA256SUMS states, found another: copy"):
        check_sum(file)


@pytest.mark.parametrize("words", [["model.pt"], ["./model.pt"], ["--binary", "model.pt"]])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_a_file_is_known_however_it_was_named(words, case, file, tmp_path):
    """A check that does not find its line would pass everything."""
    run = subprocess.run(["sha256sum", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    (tmp_path / "SHA256SUMS").write_text(case(run.stdout[:64]) + run.stdout[64:])
    check_sum(file)
    file.write_bytes(b"Weights")
    with pytest.raises(InputError, match="found another"):
        check_sum(file)


@pytest.mark.parametrize("line", ["SHA256 (model.pt) = " + "0" * 64, "d41d8cd98f00b204e9800998ecf8427e  model.pt", "?"])
def test_lines_that_are_none_are_told(line, file, tmp_path):
    (tmp_path / "SHA256SUMS").write_text(f"{line}\n")
    with pytest.raises(InputError, match="SHA256SUMS: expected lines of checksum and name, found .*: write it anew"):
        check_sum(file)


def test_a_file_that_is_not_named_is_not_checked(file, tmp_path):
    (tmp_path / "third.pt").write_bytes(b"x")
    check_sum(tmp_path / "third.pt")
    (tmp_path / "SHA256SUMS").unlink()
    check_sum(file)


def test_a_new_file_gets_its_checksum_and_the_others_keep_theirs(file, tmp_path):
    with stated_sum(file):
        file.write_bytes(b"new")
    check_sum(file)
    assert f"{'0' * 64}  other.pt" in (tmp_path / "SHA256SUMS").read_text().splitlines()
    run = subprocess.run(["sha256sum", "--check", "--ignore-missing", "SHA256SUMS"], cwd=tmp_path, capture_output=True)
    assert run.stdout == b"model.pt: OK\n"


def test_meanwhile_none_is_stated_and_after_a_failure_that_of_the_older_file(file, tmp_path):
    def fail():
        with stated_sum(file):
            assert "model.pt" not in (tmp_path / "SHA256SUMS").read_text()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    check_sum(file)
    assert "model.pt" in (tmp_path / "SHA256SUMS").read_text()


def test_without_a_file_of_checksums_none_is_made(tmp_path):
    with stated_sum(tmp_path / "model.pt"):
        (tmp_path / "model.pt").write_bytes(b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_checksums_that_cannot_be_read_are_refused(file, tmp_path):
    (tmp_path / "SHA256SUMS").write_text("no checksum\nx\n")
    with pytest.raises(InputError, match="SHA256SUMS: expected lines of checksum and name"):
        check_sum(file)
