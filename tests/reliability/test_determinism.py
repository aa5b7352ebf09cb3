"""The same input gives the same bytes, without a network, whatever the number of threads."""

from __future__ import annotations

import re
import shutil
import socket
from html.parser import HTMLParser

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.bundles.conftest import (  # noqa: F401
    copy_bundle,
    elsewhere,
    phantoms,
    samples,
    workflow,
    write_weights,
)


class _Links(HTMLParser):
    """What a page asks a browser to load, and pictures without a text."""

    def __init__(self):
        super().__init__()
        self.found, self.mute = [], 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [given[name] for name in ("src", "href", "data", "action") if given.get(name)]
        self.mute += tag == "img" and not given.get("alt")


@pytest.fixture
def run(copy_bundle, write_weights, workflow, phantoms, tmp_path, monkeypatch):  # noqa: F811
    bundle, inputs = copy_bundle("brain_mri_defended_segmentation"), tmp_path / "inputs"
    write_weights(bundle, threshold=1000.0)
    inputs.mkdir()
    shutil.copy(phantoms / "images" / "1000.nii.gz", inputs)

    def refuse(*arguments, **options):
        raise AssertionError("a network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HOME", "/proc/no/home")

    def go(out):
        names = {"dataset_dir": str(inputs), "output_dir": str(out), "write_report#suspicious": 1}
        workflow(bundle, "inference", "combined", kind="infer", **names).run()
        return out

    return go


def _without_times(path):
    content = path.read_bytes()
    if path.suffix in (".html", ".json"):
        content = re.sub(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z|[+-]\d\d:\d\d)?", b"TIME", content)
        content = re.sub(rb"out\d+", b"OUT", content)
    return content


def _files(folder):
    """What a user reads: not the manifest, which holds checksums of pages with times."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.name: _without_times(path) for path in files if "manifest" not in path.name and path.name[0] != "."}


def test_repeated_runs_without_a_network_give_the_same_bytes(run, tmp_path, full, figure):
    count = 5 if full else 2
    first = _files(run(tmp_path / "out0"))
    for number in range(1, count):
        again = _files(run(tmp_path / f"out{number}"))
        assert again.keys() == first.keys()
        assert [name for name in first if again[name] != first[name]] == []
    pages = list((tmp_path / "out0").rglob("*.html"))
    for page in pages:
        links = _Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert [link for link in links.found if re.match(r"(https?:)?//", link)] == []
        assert links.mute == 0
        assert page.stat().st_size < 2e6
    figure(f"{count} of {count} runs alike in {len(first)} files, no network; {len(pages)} pages load nothing")


def test_threads_do_not_change_the_answer(run, tmp_path, full, figure):
    if not full:
        pytest.skip("a minute: make reliability")
    labels, scores = [], []
    try:
        for number, threads in enumerate((1, 2)):
            torch.set_num_threads(threads)
            out = run(tmp_path / f"out{number}")
            labels.append([np.asarray(nib.load(path).dataobj) for path in sorted(out.glob("*_seg.nii.gz"))])
            tables = [path.read_text(encoding="utf-8").splitlines()[1:] for path in sorted(out.glob("*_scores.csv"))]
            scores.append([re.findall(r"-?\d+\.\d+(?:e-?\d+)?", line) for table in tables for line in table])
    finally:
        torch.set_num_threads(1)
    assert all(np.array_equal(one, two) for one, two in zip(*labels, strict=True))
    numbers = [np.array([float(x) for row in rows for x in row]) for rows in scores]
    worst = float(np.abs(numbers[0] - numbers[1]).max() / np.abs(numbers[0]).max())
    assert worst <= 1e-5
    figure(f"1 and 2 threads: labels equal, scores to {worst:.0e}")
