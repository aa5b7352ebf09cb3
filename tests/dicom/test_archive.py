from __future__ import annotations

import re
import socket

import pytest

from monai_advdefense.dicom import archive as module
from monai_advdefense.dicom.archive import Archive
from monai_advdefense.errors import InputError, OutputError

pytest.importorskip("dicomweb_client")
from .archive_server import archive_server


@pytest.fixture
def server(make_series, monkeypatch):
    """An archive with a series of five images; the pauses between attempts are left out."""
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    with archive_server() as server:
        server.files = sorted(make_series().iterdir())
        for path in server.files:
            server.add(path.read_bytes())
        yield server


def _uids(path):
    from pydicom import dcmread

    header = dcmread(path)
    return header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID


def test_the_images_of_a_study_are_listed_to_the_last(server):
    study, series, _ = _uids(server.files[0])
    assert Archive(server.url).images(study) == {series: sorted(_uids(path)[2] for path in server.files)}


def test_series_without_images_are_left_out(server, make_series):
    def report(header, index):
        header.Modality = "SR"

    other = make_series(change=report)
    for path in other.iterdir():
        server.add(path.read_bytes())
    with pytest.raises(InputError, match=r"study \S+: expected images in http.*, found 1 series without images"):
        Archive(server.url).images(_uids(next(other.iterdir()))[0])


def test_a_fetched_object_is_the_one_in_the_archive(server, tmp_path):
    path = server.files[0]
    Archive(server.url).fetch(*_uids(path), tmp_path / "a" / "b.dcm")
    assert (tmp_path / "a" / "b.dcm").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("how", ["close", "cut", 503, 429])
def test_a_broken_answer_is_asked_for_again(server, tmp_path, how):
    server.breaking = lambda method, path: how if server.requests["GET"] < 3 else None
    Archive(server.url).fetch(*_uids(server.files[0]), tmp_path / "b.dcm")
    assert (tmp_path / "b.dcm").read_bytes() == server.files[0].read_bytes()
    assert server.requests["GET"] == 3


@pytest.mark.parametrize(
    ("how", "found", "requests"),
    [
        ("close", r"no connection \(ConnectionError\)", 4),
        ("cut", "an answer that was cut off", 4),
        (503, "503 Server Error", 4),
        (401, "401 Client Error", 1),
    ],
)
def test_what_stays_broken_is_told_and_leaves_no_file(server, tmp_path, how, found, requests):
    server.breaking = lambda method, path: how
    with pytest.raises(InputError, match=f"pacs: expected an answer of {server.url}, found .*({found}).*run again"):
        Archive(server.url).fetch(*_uids(server.files[0]), tmp_path / "b.dcm")
    assert list(tmp_path.glob("b*")) == []
    assert server.requests["GET"] == requests


def test_no_other_address_is_contacted(server, monkeypatch, tmp_path):
    """Neither by a redirection nor by a proxy of the environment."""
    contacted = set()
    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: contacted.add(to) or connect(self, to))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    archive = Archive(server.url)
    archive.images(_uids(server.files[0])[0])
    with archive_server() as other:
        server.breaking = lambda method, path: f"{other.url}{path}"
        with pytest.raises(InputError, match="found a redirection, which is not followed"):
            archive.fetch(*_uids(server.files[0]), tmp_path / "b.dcm")
        assert sum(other.requests.values()) == 0
    assert contacted == {("127.0.0.1", server.server_port)}


def test_an_object_is_stored_once(server, make_series):
    path = next(make_series().iterdir())
    archive = Archive(server.url)
    assert archive.store(path)
    assert not archive.store(path)
    assert server.requests["POST"] == 1
    assert server.objects[_uids(path)[2]] == path.read_bytes()


def test_an_object_whose_receipt_is_lost_is_not_sent_again(server, make_series):
    server.breaking = lambda method, path: "close" if method == "stored" else None
    assert not Archive(server.url).store(next(make_series().iterdir()))
    assert server.requests["POST"] == 1


def test_an_object_that_the_archive_refuses_is_told(server, make_series):
    refusal = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [43264]}}]}}
    server.breaking = lambda method, path: refusal if method == "POST" else None
    with pytest.raises(OutputError, match=r"to store it, found a failure \(43264\): ask its administrator"):
        Archive(server.url).store(next(make_series().iterdir()))


@pytest.mark.parametrize("url", ["pacs.example.org", "ftp://pacs", "http://"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InputError, match="pacs: expected a URL such as"):
        Archive(url)


@pytest.mark.parametrize("wrong", ["not a uid", "1.2.x", "1..2", ""])
@pytest.mark.parametrize(("tag", "kind"), [("0020000E", "Series"), ("00080018", "SOP")])
def test_what_the_archive_calls_a_uid_and_is_none_is_refused(monkeypatch, tag, kind, wrong):
    row = {tag: {"Value": ["1.2"]} for tag in ("0020000E", "00080018")} | {tag: {"Value": [wrong]}}
    archive = Archive("http://127.0.0.1/dicom-web")
    for method in ("search_for_series", "search_for_instances"):
        monkeypatch.setattr(archive._client, method, lambda *_, **__: [row])
    found = f"expected a {kind} Instance UID, digits and dots, found {wrong or 'none'}: ask its administrator"
    with pytest.raises(InputError, match=re.escape(f"answer of {archive.url}: {found}")):
        archive.images("1.2")


def test_what_is_no_study_is_refused(server):
    with pytest.raises(InputError, match="study: expected a Study Instance UID, digits and dots, found one two"):
        Archive(server.url).images("one two")
    with pytest.raises(InputError, match=r"study 1\.2\.3: expected images in .*, found no such study: check its UID"):
        Archive(server.url).images("1.2.3")
