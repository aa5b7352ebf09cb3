from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from monai_advdefense.report import score_curve

SCORES = [0.2, 3.0, 0.9, math.nan, 2.0, 5.0]
SVG = "{http://www.w3.org/2000/svg}"


class _Drawing:
    """What can be read in a curve by its axes."""

    def __init__(self, text):
        self.root = ElementTree.fromstring(text)
        self.box = [float(number) for number in self.root.get("viewBox").split()]
        self.groups = {group.get("id"): group for group in self.root.iter() if group.get("id")}
        self.words = [text.text for text in self.root.iter(f"{SVG}text")]
        self._x, self._y = self._scale("numbers", "x"), self._scale("score-values", "y")

    def _scale(self, name, axis):
        places = [(float(text.get(axis)), text.text) for text in self.groups[name]]
        values = [float(text.replace("\N{MINUS SIGN}", "-")) for _, text in places]
        offset = 4.5 if axis == "y" else 0.0  # from the middle of a line to its foot
        return np.polyfit([place - offset for place, _ in places], values, 1)

    def read(self, x, y):
        return round(float(np.polyval(self._x, float(x))), 1), round(float(np.polyval(self._y, float(y))), 1)

    def marks(self, name):
        found = []
        for mark in self.groups[name]:
            x, y = (mark.get("cx"), mark.get("cy")) if mark.get("cx") else re.findall(r"[\d.]+", mark.get("d"))[:2]
            found.append(self.read(x, y))
        return found


@pytest.mark.parametrize("narrow", [False, True])
def test_curve_shows_threshold_and_decisions_where_they_are(make_case, narrow):
    drawing = _Drawing(score_curve(make_case(SCORES, threshold=1.5, blank=(5,)), narrow=narrow))
    assert drawing.marks("rejected") == [(1, 3.0), (4, 2.0)]
    assert drawing.marks("accepted") == [(0, 0.2), (2, 0.9)]
    assert [x for x, _ in drawing.marks("unknown")] == [3]
    (limit,) = re.findall(r"M[\d.]+ ([\d.]+)H", drawing.groups["threshold"].get("d"))
    assert drawing.read(0, limit)[1] == 1.5
    places = re.findall(r"([ML])([\d.]+) ([\d.]+)", drawing.groups["curve"].get("d"))
    assert "".join(kind for kind, _, _ in places) == "MLLM"  # a gap at the slice without a score
    assert [drawing.read(x, y) for _, x, y in places] == [(0, 0.2), (1, 3.0), (2, 0.9), (4, 2.0)]
    assert {"accepted", "rejected", "score not a number", "threshold"} <= set(drawing.words)
    assert "not checked" not in drawing.words


def _texts_and_marks(drawing):
    _, _, width, height = drawing.box
    for element in drawing.root.iter():
        for x, y in (("x", "y"), ("cx", "cy")):
            if element.get(x):
                yield 0 <= float(element.get(x)) <= width and 0 <= float(element.get(y)) <= height


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(
    ("scores", "threshold"), [([0.2, 0.3], 40.0), ([-3.0, -1.0], 0.0), ([1e-6, 2e-6], 1e-6), ([math.inf, 0.1], 1.0)]
)
def test_everything_lies_in_the_picture(make_case, scores, threshold, narrow):
    drawing = _Drawing(score_curve(make_case(scores, threshold), narrow=narrow))
    assert all(_texts_and_marks(drawing))
    (limit,) = re.findall(r"M[\d.]+ ([\d.]+)H", drawing.groups["threshold"].get("d"))
    assert 0 < float(limit) < drawing.box[3]


def test_curve_without_threshold_draws_none_and_calls_nothing_accepted(make_case):
    drawing = _Drawing(score_curve(make_case([0.2, 0.3], threshold=math.nan)))
    assert "not checked" in drawing.words
    assert not {"threshold", "accepted", "rejected"} & {*drawing.words, *drawing.groups}


@pytest.mark.parametrize(("scores", "blank"), [([], ()), ([1.0], ()), ([2.0, 2.0], (0, 1)), ([math.nan] * 2, ())])
def test_curve_of_degenerate_cases_can_be_drawn(make_case, scores, blank):
    drawing = _Drawing(score_curve(make_case(scores, math.nan, blank)))
    assert "Score (no unit)" in drawing.words
    assert "nan" not in ElementTree.tostring(drawing.root, encoding="unicode")


def test_world_positions_stand_at_their_slices(make_case):
    drawing = _Drawing(score_curve(make_case([0.1] * 21)))
    for text in drawing.groups["positions"]:
        position = float(text.text.replace("\N{MINUS SIGN}", "-"))
        assert drawing.read(text.get("x"), 0)[0] == position + 10  # slice 0 lies at -10 mm
    assert len(drawing.groups["positions"]) > 4
    assert "World position y (mm), posterior to anterior" in drawing.words
    assert not len(_Drawing(score_curve(make_case([0.1]))).groups["positions"])
