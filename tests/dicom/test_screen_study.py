from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.commands.main import main
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.dicom import archive as module
from monai_advdefense.dicom.screen_study import fetch_study
from monai_advdefense.errors import OutputError

pytest.importorskip("dicomweb_client")
from .archive_server import archive_server


@pytest.fixture
def server(make_series, monkeypatch):
    """An archive with a study of one brain."""
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    phantom = brain_phantom((24, 12, 24), seed=1)[0]
    values = np.rint(phantom / phantom.max() * 1000).astype(np.int16)
    with archive_server() as server:
        for path in make_series(values=values, spacing=(1, 1, 1)).iterdir():
            server.add(path.read_bytes())
            from pydicom import dcmread

            server.study = dcmread(path).StudyInstanceUID
        yield server


def _screen(server, tmp_path):
    words = ["screen", "--pacs", server.url, "--study", server.study, "-o", str(tmp_path / "out"), "--device", "cpu"]
    return main(words)


def test_a_study_is_screened_and_answered_whatever_breaks(server, tmp_path, capsys):
    # While it is fetched, the archive goes away for good.
    server.breaking = lambda method, path: "close" if server.requests["GET"] > 20 else None
    assert _screen(server, tmp_path) == 2
    assert "no connection (ConnectionError): check address" in capsys.readouterr().err
    fetched = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "received").glob("*/*/*.dcm")}
    assert 0 < len(fetched) < 24
    # It comes back, but takes no answer.
    server.breaking = lambda method, path: 403 if method == "POST" else None
    assert _screen(server, tmp_path) == 2
    assert capsys.readouterr().err.count("failed: pacs: expected an answer of") == 2
    assert server.modalities() == {"MR": 24}
    assert all(path.stat().st_mtime_ns == time for path, time in fetched.items())
    # It takes the first and breaks.
    server.breaking = lambda method, path: 403 if method == "POST" and "SEG" in server.modalities() else None
    assert _screen(server, tmp_path) == 2
    assert server.modalities() == {"MR": 24, "SEG": 1}
    server.breaking = lambda method, path: None
    for _ in range(2):
        assert _screen(server, tmp_path) == 0
        assert server.modalities() == {"MR": 24, "SEG": 1, "SR": 1}
    assert capsys.readouterr().out.count("is there already") == 3
    (record,) = (tmp_path / "out").glob("*_scores.json")
    assert json.loads(record.read_text())["counts"]["slices"] > 0
    assert nib.load(next((tmp_path / "out").glob("*_seg.nii.gz"))).shape == (24, 12, 24)
    assert nib.load(next((tmp_path / "out" / "dicom").glob("*.nii.gz"))).shape == (24, 12, 24)


class _Archive:
    """Holds what the test says."""

    def __init__(self, **series):
        self.series, self.fetched = series, []

    def images(self, _):
        return self.series

    def fetch(self, study, series, instance, path):
        self.fetched.append(instance)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_what_the_archive_does_not_have_any_more_is_no_input(tmp_path):
    fetch_study(_Archive(a=["1", "2", "copy"], b=["3"]), "1.2", tmp_path)
    later = _Archive(a=["1", "2", "4"])
    fetch_study(later, "1.2", tmp_path)
    assert later.fetched == ["4"]
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.dcm"))
    assert found == ["a/1.dcm", "a/2.dcm", "a/4.dcm"]


def test_what_cannot_be_removed_ends_the_run_with_one_line(tmp_path, monkeypatch):
    fetch_study(_Archive(a=["1", "2"]), "1.2", tmp_path)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match=r"a/2.dcm: expected to write here, found Permission denied"):
        fetch_study(_Archive(a=["1"]), "1.2", tmp_path)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], "error: INPUT: expected files, or --pacs and --study, found neither: name what to screen"),
        (
            ["a", "--pacs", "http://a", "--study", "1"],
            "error: INPUT: expected files, or --pacs and --study, found",
        ),
        (["--pacs", "http://a"], "error: options: expected --pacs and --study together, found one of them"),
        (["a", "--study", "1.2"], "error: options: expected --pacs and --study together, found one of them"),
        (["--pacs", "http://a", "--study", "1", "--shard", "1/2"], "error: shard: expected files, found a study of an"),
        (["--pacs", "a", "--study", "1"], "error: pacs: expected a URL such as"),
    ],
)
def test_misuse_is_one_line_with_a_remedy(words, found, tmp_path, capsys):
    assert main(["screen", *words, "-o", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(found)
