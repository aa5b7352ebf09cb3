from __future__ import annotations

import math
import re

import numpy as np
import pytest

from monai_advdefense.report import GroupEntry
from monai_advdefense.report.score_histogram import (
    HEIGHT,
    WIDTH,
    histogram_paths,
    score_counts,
    score_edges,
    score_histogram,
)

BAR = r"M([\d.]+) ([\d.]+)v-([\d.]+)h([\d.]+)v([\d.]+)z"


@pytest.fixture
def entry(make_case):
    return lambda *args, **kwargs: GroupEntry("a.nii.gz", make_case(*args, **kwargs))


def test_every_slice_is_counted_once_under_its_decision(entry):
    entries = [entry([0.1, 0.5, 3.0, math.nan]), entry([0.2, 40.0, 0.0], blank=(2,)), GroupEntry("b", failure="why")]
    counts = score_counts(entries, score_edges(entries))
    assert {name: int(numbers.sum()) for name, numbers in counts.items()} == {
        "accepted": 3,
        "rejected": 2,
        "not_checked": 0,
    }


def test_bins_agree_with_the_scores(entry):
    entries = [entry(list(np.linspace(0.1, 0.9, 33)))]
    edges = score_edges(entries)
    numbers = score_counts(entries, edges)["accepted"]
    centers = (edges[:-1] + edges[1:]) / 2
    assert (numbers @ centers) / numbers.sum() == pytest.approx(0.5, abs=np.diff(edges)[0])
    assert np.allclose(np.diff(edges), np.diff(edges)[0])


def test_very_high_scores_share_the_last_bin_and_leave_room_for_the_others(entry):
    entries = [entry([0.1, 0.5, 0.9, 50.0, 1000.0])]
    edges = score_edges(entries)
    assert score_counts(entries, edges)["rejected"][-1] == 2
    assert (1.0 - edges[0]) / (edges[-1] - edges[0]) == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize("scores", [[], [math.nan], [0.5], [0.0, 0.0]])
@pytest.mark.parametrize("threshold", [math.nan, 0.5, 0.0])
def test_edges_increase_even_without_scores(entry, scores, threshold):
    assert (np.diff(score_edges([entry(scores, threshold)])) > 0).all()
    assert (np.diff(score_edges([])) > 0).all()


def test_bars_stand_on_one_another_and_stay_in_the_box(entry):
    item = entry([0.5] * 300 + [0.999, 3.0])
    paths = histogram_paths(item, score_edges([item]))
    bars = {name: [tuple(map(float, bar)) for bar in re.findall(BAR, paths[name])] for name in ("accepted", "rejected")}
    assert len(bars["accepted"]) == 2
    assert len(bars["rejected"]) == 1
    tallest, small = sorted((bar[2] for bar in bars["accepted"]), reverse=True)
    assert tallest == HEIGHT - 4
    assert small == bars["rejected"][0][2] == 3
    limit = float(re.fullmatch(rf"M([\d.]+) 0V{HEIGHT}", paths["threshold"])[1])
    assert all(x + width <= limit + WIDTH / 48 for x, _, _, width, _ in bars["accepted"])
    assert all(x >= limit - WIDTH / 48 and x + width <= WIDTH for x, _, _, width, _ in bars["rejected"])
    assert "not_checked" not in paths


def test_without_a_threshold_there_is_no_line(entry):
    item = entry([0.5, 0.6], math.nan)
    assert set(histogram_paths(item, score_edges([item]))) == {"not_checked"}


@pytest.mark.parametrize("narrow", [False, True])
def test_figure_shows_all_slices_and_one_line_for_each_threshold(entry, narrow):
    entries = [entry([0.5, 0.6, 3.0]), entry([0.7, 2.0])]
    (axes,) = score_histogram(entries, narrow=narrow).axes
    assert sum(bar.get_height() for bar in axes.patches) == 5
    assert [line.get_xdata()[0] for line in axes.lines] == [1.0]
    assert axes.get_ylabel() == "Slices"
