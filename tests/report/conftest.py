from __future__ import annotations

import math
from html.parser import HTMLParser

import pytest
import torch

from monai_advdefense.guard.screen import Screened
from monai_advdefense.guard.verdict import VolumeVerdict
from monai_advdefense.report import Provenance, case_from_scores


@pytest.fixture
def make_case():
    """Build a case from scores with the detector's rule; blank slices by index."""

    def make(scores, threshold=1.0, blank=(), **provenance):
        values = torch.tensor(scores, dtype=torch.float32)
        empty = torch.tensor([index in blank for index in range(len(scores))], dtype=torch.bool)
        checked = torch.isfinite(values) & math.isfinite(threshold)
        return case_from_scores(
            values,
            checked & (empty | (values <= threshold)),
            empty,
            threshold=threshold,
            positions=[(float(index) - 10.0, index + 3) for index in range(len(scores))],
            input_path="/data/site <1>/scan & more.nii.gz",
            segmentation_path="/out/site <1>/scan & more_seg.nii.gz",
            provenance=Provenance(**provenance),
        )

    return make


@pytest.fixture
def make_screened():
    """Build a case as a screen finds it: the second slice is rejected, the third shows too little to be judged."""

    def make(verdict="clean", cause="", dice=None):
        flags = {"accepted": [True, False, True], "blank": [False] * 3, "judged": [True, True, False]}
        found = VolumeVerdict(verdict, cause, f"score x failed: {verdict}", "local_texture", 0.25, 2, 1, 0.1)
        screened = Screened(
            score=torch.tensor([0.5, 2.0, 0.0]),
            scores=torch.zeros(3, 1),
            spoke=("", "local_texture", ""),
            causes=("", "smooth", ""),
            verdict=found,
            dice=dice,
            **{name: torch.tensor(values) for name, values in flags.items()},
        )
        return case_from_scores(
            screened.score,
            screened.accepted,
            screened.blank,
            threshold=1.0,
            positions=[(0.0, 0), (1.0, 1), (2.0, 2)],
            input_path="/data/scan.nii.gz",
            segmentation_path="/out/scan_seg.nii.gz",
            screened=screened,
        )

    return make


@pytest.fixture
def read_page():
    """Read a page as a browser would, and fail if its tags do not match."""
    return _Page


_VOID = {"meta", "img", "source", "link", "br"}


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.text.append(data)

    def named(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def words(self):
        return " ".join("".join(self.text).split())
