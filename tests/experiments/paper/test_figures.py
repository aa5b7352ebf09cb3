from __future__ import annotations

import re

import numpy as np
import pytest

from experiments.paper.figures import figure_4, figure_bytes, risk_coverage_figure, roc_figure
from experiments.paper.quantities import quantities
from experiments.paper.tables import guard_rows, risk_coverage_rows, roc_rows


@pytest.fixture(scope="module")
def found(results):
    return quantities(results, resamples=20)


@pytest.fixture(scope="module")
def guards(results, found):
    return guard_rows(results, found)


def _full(rows, target):
    wanted = ("dag", "A+B+C", "1", "brain", target)
    return [
        row
        for row in rows
        if tuple(row[name] for name in ("form", "type", "strength", "support", "target")) == wanted and row["pair"]
    ]


@pytest.mark.parametrize("narrow", [False, True])
def test_figure_4_shows_dice_and_coverage_of_every_pair(results, guards, narrow):
    figure = figure_4(guards, results.targets, narrow=narrow)
    assert len(figure.axes) == 2 * len(results.targets)
    for place, target in enumerate(results.targets):
        rows = _full(guards, target)
        dice_axes, coverage_axes = figure.axes[2 * place : 2 * place + 2]
        shown = np.concatenate([container.lines[0].get_xydata() for container in dice_axes.containers])
        shown = shown[shown[:, 1].argsort()]
        wanted = [(float(row["dice"]), number) for number, row in enumerate(rows) if row["dice"]]
        assert np.allclose(shown, wanted)
        assert [bar.get_width() for bar in coverage_axes.patches] == pytest.approx(
            [float(row["coverage"]) for row in rows]
        )
        assert dice_axes.get_title(loc="left") == f"{target} target"
        bare = [row for row in guards if (row["detector"], row["reformer"], row["target"]) == ("none", "none", target)]
        lines = {line.get_xdata()[0] for line in dice_axes.lines if len(set(line.get_xdata())) == 1}
        assert {float(row["dice"]) for row in bare if row["form"] == "clean"} <= lines


def test_pair_that_accepts_nothing_is_said_to(results, guards):
    nothing = {"dice": "", "dice_low": "", "dice_high": ""}
    rows = [row | (nothing if row["pair"] == "13" else {"dice": "0.5"}) for row in guards]
    figure = figure_4(rows, ["UNet"])
    assert [(text.get_text(), text.get_position()[1]) for text in figure.axes[0].texts] == [("none accepted", 12)]


@pytest.mark.parametrize("narrow", [False, True])
def test_curves_of_every_detector(results, found, narrow):
    for draw, rows in (
        (roc_figure, roc_rows(results, found)),
        (risk_coverage_figure, risk_coverage_rows(results, found)),
    ):
        figure = draw(rows, results.targets, narrow=narrow)
        for axes in figure.axes:
            assert set(results.detectors) <= {line.get_label() for line in axes.lines}
            styles = [
                (line.get_color(), line.get_linestyle()) for line in axes.lines if line.get_label() in results.detectors
            ]
            assert len(set(styles)) == len(styles)
            assert axes.get_xlabel()
        assert figure.axes[0].get_ylabel()


def test_same_figure_same_bytes_without_date():
    first, second = (figure_bytes(roc_figure([], ["UNet"])) for _ in range(2))
    assert first == second
    assert first["png"].startswith(b"\x89PNG")
    text = first["svg"].decode()
    assert not re.search(r"<dc:date>|\d{4}-\d\d-\d\dT", text)
